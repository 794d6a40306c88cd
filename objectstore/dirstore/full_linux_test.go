package dirstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

// TestFullAndReadOnlyDisk runs in a child process with a file system of its own
// of 4 MiB, where the kernel allows that.
func TestFullAndReadOnlyDisk(t *testing.T) {
	const env = "DIRSTORE_TEST_MOUNT"
	if dir := os.Getenv(env); dir != "" {
		fullDisk(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullAndReadOnlyDisk$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("SKIP")) {
		t.Skipf("%s", out)
	}
}

func fullDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	s := openDir(t, dir)
	var err error
	stored := 0
	for i := range 10 {
		if _, err = s.Put(t.Context(), fmt.Sprintf("k%d", i), storetest.Stream(1<<20, uint64(i))); err != nil {
			break
		}
		stored++
	}
	if !errors.Is(err, objectstore.ErrFull) || objectstore.Retryable(err) {
		t.Errorf("Put on a full disk = %v, want ErrFull", err)
	}
	if left := temps(t, dir); len(left) != 0 {
		t.Errorf("temporary files are left: %q", left)
	}
	for i := range stored {
		if _, err := s.Stat(t.Context(), fmt.Sprintf("k%d", i)); err != nil {
			t.Errorf("k%d = %v", i, err)
		}
	}
	sp, err := objectstore.DiskSpace(dir)
	if err != nil || sp.Total != 4<<20 || sp.Free > 1<<20 {
		t.Errorf("DiskSpace = %+v, %v", sp, err)
	}
	// After some room is made it goes on.
	if err := s.Delete(t.Context(), "k0"); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), "again", storetest.Stream(500_000, 1)); err != nil {
		t.Errorf("Put after Delete = %v", err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=4m"); err != nil {
		t.Skipf("remount: %v", err)
	}
	if _, err := s.Put(t.Context(), "ro", storetest.Stream(10, 1)); !errors.Is(err, objectstore.ErrConfig) || objectstore.Retryable(err) {
		t.Errorf("Put on a read-only disk = %v, want ErrConfig", err)
	}
	if err := s.Delete(t.Context(), "again"); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Delete on a read-only disk = %v, want ErrConfig", err)
	}
	if _, err := Open(dir); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Open of a read-only disk = %v, want ErrConfig", err)
	}
}
