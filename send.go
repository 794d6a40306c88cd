package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type sendCmd struct {
	Portrait string            `arg:"" help:"JPEG, PNG or WebP file." type:"existingfile"`
	Text     string            `arg:"" help:"What the portrait says."`
	Output   string            `short:"o" help:"Where the video goes." default:"out.mp4"`
	Server   string            `help:"Address of a running gateway; without one everything runs in this process."`
	Language string            `help:"Language of the text." default:"ja"`
	Set      map[string]string `help:"Further fields of the request, such as --set aspect=9:16." placeholder:"FIELD=VALUE"`
	Token    string            `help:"Token for the server." env:"-"`
	Verbose  bool              `short:"v" help:"Show the log of the stages."`
}

// Run makes one video and says what happens meanwhile.
func (c sendCmd) Run(e *env) error {
	server := strings.TrimRight(c.Server, "/")
	if server != "" {
		return c.send(e.ctx, server, e.stdout)
	}
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "videomsg-send-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
	out := io.Discard
	if c.Verbose {
		out = e.stderr
	}
	if conf.Speech.Voice == "" {
		conf.Speech.Voice = openJTalk(conf).Voice // before DATA_DIR moves
	}
	conf.Listen, conf.Port, conf.DataDir, conf.Grace = "127.0.0.1", 0, dir, 0
	conf.Broker.URL, conf.Broker.DataDir = "", filepath.Join(dir, "broker")
	conf.Storage.Backend = "jetstream"

	ctx, stop := context.WithCancel(e.ctx)
	defer stop()
	url, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, slog.New(slog.NewTextHandler(out, nil)), conf, func(u string) { url <- u })
	}()
	select {
	case u := <-url:
		err = c.send(ctx, u, e.stdout)
		stop()
		return errors.Join(err, <-ended)
	case err := <-ended:
		return err
	}
}

// send submits, follows and downloads.
func (c sendCmd) send(ctx context.Context, server string, out io.Writer) error {
	start := time.Now()
	var task struct {
		TaskID      string `json:"task_id"`
		StatusURL   string `json:"status_url"`
		EventsURL   string `json:"events_url"`
		DownloadURL string `json:"download_url"`
	}
	if err := c.submit(ctx, server, &task); err != nil {
		return err
	}
	fmt.Fprintln(out, "task", task.TaskID)
	if err := c.follow(ctx, server+task.StatusURL, out); err != nil {
		return err
	}
	n, err := c.download(ctx, server+task.DownloadURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %.1f MB in %.1f s\n", c.Output, float64(n)/1e6, time.Since(start).Seconds())
	return nil
}

func (c sendCmd) call(ctx context.Context, method, url, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var p struct{ Title, Detail, Code string }
	b, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(b, &p) != nil || p.Code == "" {
		return nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil, fmt.Errorf("%s: %s %s", p.Code, p.Title, p.Detail)
}

// submit streams the form, so that a portrait of any size costs no memory.
func (c sendCmd) submit(ctx context.Context, server string, task any) error {
	f, err := os.Open(c.Portrait)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() { pw.CloseWithError(c.writeForm(form, f)) }()
	res, err := c.call(ctx, http.MethodPost, server+"/api/video/generate", form.FormDataContentType(), pr)
	_ = pr.Close()
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	return json.NewDecoder(res.Body).Decode(task)
}

func (c sendCmd) writeForm(form *multipart.Writer, portrait io.Reader) error {
	part, err := form.CreateFormFile("image", filepath.Base(c.Portrait))
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, portrait); err != nil {
		return err
	}
	for _, kv := range [][2]string{{"text", c.Text}, {"language", c.Language}} {
		if err := form.WriteField(kv[0], kv[1]); err != nil {
			return err
		}
	}
	for k, v := range c.Set {
		if err := form.WriteField(k, v); err != nil {
			return err
		}
	}
	return form.Close()
}

// sentTask is the part of a status that is shown.
type sentTask struct {
	Status  string
	Percent float64
	Stages  []struct {
		Name, State, Engine string
		Attempt             int
		Seconds             float64
		FallbackFrom        []struct{ Engine, Reason string } `json:"fallback_from"`
		Remarks             []string
	}
	Credits    []string
	Error      *struct{ Code, Detail string }
	FinishedAt *time.Time `json:"finished_at"`
}

// follow prints a line when a stage has ended, until the task has.
func (c sendCmd) follow(ctx context.Context, statusURL string, out io.Writer) error {
	told := map[string]bool{}
	tag := ""
	for {
		t, next, err := c.poll(ctx, statusURL, tag)
		if err != nil {
			return err
		}
		tag = next
		if t == nil {
			continue
		}
		for _, s := range t.Stages {
			if told[s.Name] || s.State == "pending" || s.State == "running" {
				continue
			}
			told[s.Name] = true
			fmt.Fprintf(out, "%-8s %-8s %-10s %6.2f s\n", s.Name, s.State, s.Engine, s.Seconds)
			for _, f := range s.FallbackFrom {
				fmt.Fprintf(out, "         instead of %s: %s\n", f.Engine, f.Reason)
			}
			for _, r := range s.Remarks {
				fmt.Fprintf(out, "         note: %s\n", r)
			}
		}
		if t.FinishedAt == nil {
			continue
		}
		for _, credit := range t.Credits {
			fmt.Fprintf(out, "credit   %s\n", credit)
		}
		if t.Status != "completed" {
			if t.Error != nil {
				return fmt.Errorf("the task has %s: %s: %s", t.Status, t.Error.Code, t.Error.Detail)
			}
			return fmt.Errorf("the task has %s", t.Status)
		}
		return nil
	}
}

func (c sendCmd) poll(ctx context.Context, statusURL, tag string) (*sentTask, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, statusURL+"?wait=20", nil)
	if err != nil {
		return nil, "", err
	}
	if tag == "" {
		req.URL.RawQuery = ""
	}
	req.Header.Set("If-None-Match", tag)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	switch res.StatusCode {
	case http.StatusNotModified:
		return nil, tag, nil
	case http.StatusOK:
		var t sentTask
		err := json.NewDecoder(res.Body).Decode(&t)
		return &t, res.Header.Get("ETag"), err
	default:
		return nil, "", fmt.Errorf("%s answers %s", (&url.URL{Path: req.URL.Path}).String(), res.Status)
	}
}

// download writes the video under a temporary name and then gives it its own, so
// that a cut-off download leaves nothing that looks finished.
func (c sendCmd) download(ctx context.Context, url string) (n int64, err error) {
	res, err := c.call(ctx, http.MethodGet, url, "", nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	if err := os.MkdirAll(filepath.Dir(c.Output), 0o755); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(c.Output), ".videomsg-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone when all went well
	w := bufio.NewWriterSize(f, 256<<10)
	n, err = io.Copy(w, res.Body)
	if err = errors.Join(err, w.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return n, fmt.Errorf("download: %w", err)
	}
	return n, os.Rename(f.Name(), c.Output)
}
