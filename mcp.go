package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/face"
)

type mcpCmd struct {
	Listen string `help:"Address and port; the server asks nobody who they are, so keep it to this machine or behind a proxy." default:"127.0.0.1:8000"`
}

// Run serves /mcp until it is interrupted.
func (c mcpCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: conf.LogLevel}))
	remove, refine, err := mattingEngines(e.ctx, log, conf)
	if err != nil {
		return err
	}
	faces, err := face.NewDetector()
	if err != nil {
		return fmt.Errorf("face detector: %w", err)
	}
	s := cutout.Server{
		Log: log, Remove: remove, Refine: refine, Pool: vision.NewPool(64_000_000), Version: version(),
		Faces: func(img *image.NRGBA) (boxes []image.Rectangle) {
			for _, f := range faces.Analyze(img).Faces {
				boxes = append(boxes, f.Box())
			}
			return boxes
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", s.Handler())
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ln, err := (&net.ListenConfig{}).Listen(e.ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(e.stdout, "videomsg serves MCP on http://%s/mcp by %v\n", ln.Addr(), remove.Names())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve MCP: %w", err)
	case <-e.ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), conf.Grace)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		_ = srv.Close() // calls that outlast the grace
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
