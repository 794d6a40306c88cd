package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/gateway"
)

// dlqCmd looks after the dead letters: stages that gave up on a task.
type dlqCmd struct {
	List    dlqListCmd    `cmd:"" help:"List dead letters, newest first."`
	Show    dlqShowCmd    `cmd:"" help:"Show one with its reason, its attempts and its event."`
	Redrive dlqRedriveCmd `cmd:"" help:"Try again where the stage has failed, as new tasks."`
	Discard dlqDiscardCmd `cmd:"" help:"Mark as settled."`
}

// admin is the administration API: that of a running service, or one of our own
// on the broker when no other process has its data directory.
type admin struct {
	Server string `help:"Address of a running service; without one the broker is asked directly."`
	Token  string `help:"Administrator's token for the server." env:"-"`
}

// with calls f with the API's address and the means to call it.
func (c admin) with(e *env, f func(call func(method, path string, out any) error) error) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	base := strings.TrimRight(c.Server, "/")
	send := sendCmd{Token: c.Token}
	if base == "" {
		a, err := open(e.ctx, slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), conf)
		switch {
		case errors.Is(err, broker.ErrLocked):
			base = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(conf.Port)) // of the process that has it
		case err != nil:
			return err
		default:
			defer a.close()
			var stop func()
			if base, stop, err = a.adminOnly(e.ctx); err != nil {
				return err
			}
			defer stop()
		}
		if conf.Gateway.Secret != "" && send.Token == "" { // whoever has the secret may make a token
			if send.Token, err = gateway.NewToken(conf.Gateway.Secret, "operator", gateway.RoleAdmin, time.Hour, time.Now()); err != nil {
				return err
			}
		}
	}
	return f(func(method, path string, out any) error {
		res, err := send.call(e.ctx, method, base+path, "", nil)
		if err != nil {
			return err
		}
		defer res.Body.Close() //nolint:errcheck // read only
		if out == nil || res.StatusCode == http.StatusNoContent {
			return nil
		}
		return json.NewDecoder(res.Body).Decode(out)
	})
}

// adminOnly serves the API on a free port of this machine, without any stage.
func (a *app) adminOnly(ctx context.Context) (base string, stop func(), err error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := a.limited(a.api(gateway.NewFeed(a.log)), ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // ends with stop
	}()
	return "http://" + ln.Addr().String(), func() { _ = srv.Close(); <-done }, nil
}

type dlqListCmd struct {
	admin
	State string `help:"open, redriven, discarded or all." enum:"open,redriven,discarded,all" default:"open"`
	Limit int    `help:"How many." default:"50"`
	JSON  bool   `help:"One JSON object per line."`
}

// Run lists.
func (c dlqListCmd) Run(e *env) error {
	return c.with(e, func(call func(string, string, any) error) error {
		out := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		err := eachDead(call, c.State, c.Limit, func(d gateway.DeadLetter) error {
			if c.JSON {
				return json.NewEncoder(e.stdout).Encode(d)
			}
			_, err := fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\t%d tries\t%s\n", d.Seq, d.Time.Local().Format(time.DateTime), d.TaskID, d.Stage, d.Code, max(d.Attempts, 1), d.State)
			return err
		})
		return errors.Join(err, out.Flush())
	})
}

// eachDead reads up to limit dead letters, page by page.
func eachDead(call func(string, string, any) error, state string, limit int, f func(gateway.DeadLetter) error) error {
	for cursor := ""; limit > 0; {
		q := url.Values{"state": {state}, "limit": {strconv.Itoa(min(limit, 200))}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		var page struct {
			Items []gateway.DeadLetter
			Next  string
		}
		if err := call(http.MethodGet, "/api/admin/dead-letters?"+q.Encode(), &page); err != nil {
			return err
		}
		for _, d := range page.Items {
			if err := f(d); err != nil {
				return err
			}
		}
		limit -= len(page.Items)
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
	return nil
}

func deadPath(seq uint64) string { return "/api/admin/dead-letters/" + strconv.FormatUint(seq, 10) }

type dlqShowCmd struct {
	admin
	Seq uint64 `arg:"" help:"Number of the dead letter."`
}

// Run shows reason, attempts and event.
func (c dlqShowCmd) Run(e *env) error {
	return c.with(e, func(call func(string, string, any) error) error {
		var d gateway.DeadLetter
		if err := call(http.MethodGet, deadPath(c.Seq), &d); err != nil {
			return err
		}
		ev, err := json.MarshalIndent(d.Event, "", "  ")
		return errors.Join(err, printDead(e.stdout, d, ev))
	})
}

func printDead(w io.Writer, d gateway.DeadLetter, ev []byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "dead letter %d: the %s stage of task %s gave up at %s\n", d.Seq, d.Stage, d.TaskID, d.Time.Local().Format(time.DateTime))
	fmt.Fprintf(&b, "reason     %s: %s\n", d.Code, d.Detail)
	if d.Cause != "" {
		fmt.Fprintf(&b, "cause      %s\n", d.Cause)
	}
	for i, t := range d.Tries {
		fmt.Fprintf(&b, "attempt %-2d %s\n", i+1, t)
	}
	fmt.Fprintf(&b, "state      %s", d.State)
	if d.At != nil {
		fmt.Fprintf(&b, " by %s at %s", d.By, d.At.Local().Format(time.DateTime))
	}
	if d.NewTask != "" {
		fmt.Fprintf(&b, ", task %s", d.NewTask)
	}
	fmt.Fprintf(&b, "\n%s\n", ev)
	_, err := w.Write(b.Bytes())
	return err
}

// chosen is the dead letters that a command is about.
type chosen struct {
	Seq []uint64 `arg:"" optional:"" help:"Numbers of the dead letters."`
	All bool     `help:"All that are open."`
}

func (c chosen) each(call func(string, string, any) error, f func(seq uint64) error) error {
	list := c.Seq
	if c.All == (len(list) > 0) {
		return errors.New("name dead letters by number, or say --all")
	}
	if c.All {
		const most = 100_000
		if err := eachDead(call, "open", most, func(d gateway.DeadLetter) error {
			list = append(list, d.Seq)
			return nil
		}); err != nil {
			return err
		}
	}
	var errs []error
	for _, seq := range list {
		if err := f(seq); err != nil {
			errs = append(errs, fmt.Errorf("dead letter %d: %w", seq, err))
		}
	}
	return errors.Join(errs...)
}

type dlqRedriveCmd struct {
	admin
	chosen
}

// Run submits a new task for each.
func (c dlqRedriveCmd) Run(e *env) error {
	return c.with(e, func(call func(string, string, any) error) error {
		return c.each(call, func(seq uint64) error {
			var d gateway.DeadLetter
			if err := call(http.MethodPost, deadPath(seq)+"/redrive", &d); err != nil {
				return err
			}
			_, err := fmt.Fprintf(e.stdout, "%d: task %s\n", seq, d.NewTask)
			return err
		})
	})
}

type dlqDiscardCmd struct {
	admin
	chosen
}

// Run marks each.
func (c dlqDiscardCmd) Run(e *env) error {
	return c.with(e, func(call func(string, string, any) error) error {
		return c.each(call, func(seq uint64) error { return call(http.MethodDelete, deadPath(seq), nil) })
	})
}
