package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A process is a child that is started again with the same arguments after it
// was killed.
type process struct {
	name string
	path string
	args []string
	log  string

	mu     sync.Mutex
	life   *life
	failed error
}

// A life is one run of a process.
type life struct {
	cmd    *exec.Cmd
	exited chan struct{}
	killed bool // its end is our doing; guarded by the process
}

// self is a child that runs a role of this program.
func self(dir, name, role string, args ...string) (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &process{name: name, path: path, args: append([]string{"child", role}, args...), log: filepath.Join(dir, name+".log")}, nil
}

// start starts the process.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life != nil {
		select {
		case <-p.life.exited:
		default:
			return nil // it was started again meanwhile
		}
	}
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the child has its own
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = f, f
	// Nothing outlives us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.life = &life{cmd: cmd, exited: make(chan struct{})}
	go p.watch(p.life)
	return nil
}

// watch starts the process again when it ends by itself, as the stages of a
// worker make it do; a supervisor would.
func (p *process) watch(l *life) {
	err := l.cmd.Wait()
	close(l.exited)
	p.mu.Lock()
	again := !l.killed
	var status syscall.WaitStatus
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		status, _ = e.Sys().(syscall.WaitStatus)
	}
	if again && err != nil && !status.Signaled() && p.failed == nil {
		p.failed = fmt.Errorf("%s: %w, see %s", p.name, err, p.log)
	}
	p.mu.Unlock()
	if again && status.Signaled() {
		_ = p.start() // whoever waits for its work notices
	}
}

// kill is kill -9.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

// signal sends s; a killing one is waited for.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	l := p.life
	if l == nil {
		p.mu.Unlock()
		return
	}
	if s == syscall.SIGKILL {
		l.killed = true
	}
	_ = l.cmd.Process.Signal(s) // it may be gone
	p.mu.Unlock()
	if s == syscall.SIGKILL {
		<-l.exited
	}
}

// err is why the process ended although nobody killed it.
func (p *process) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// tail is the end of the process's log.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// freePorts finds n ports that nobody listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var ports []int
	var lc net.ListenConfig
	for range n {
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // kept until all are found
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// nodes makes the processes of a cluster of n servers.
func nodes(ctx context.Context, server, dir string, n int) (list []*process, urls string, err error) {
	ports, err := freePorts(ctx, 2*n)
	if err != nil {
		return nil, "", err
	}
	var routes, clients []string
	for i := range n {
		routes = append(routes, "nats://127.0.0.1:"+strconv.Itoa(ports[n+i]))
		clients = append(clients, "nats://127.0.0.1:"+strconv.Itoa(ports[i]))
	}
	for i := range n {
		name := "n" + strconv.Itoa(i+1)
		conf := fmt.Sprintf(`server_name: %s
listen: 127.0.0.1:%d
jetstream { store_dir: %q, sync_interval: 1s, limits { default_max_consumers: 5000 } }
cluster { name: chaos, listen: 127.0.0.1:%d, routes: [%s] }
`, name, ports[i], filepath.Join(dir, name), ports[n+i], strings.Join(routes, ", "))
		file := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			return nil, "", err
		}
		list = append(list, &process{name: name, path: server, args: []string{"-c", file}, log: filepath.Join(dir, name+".log")})
	}
	return list, strings.Join(clients, ","), nil
}
