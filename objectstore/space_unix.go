//go:build unix

package objectstore

import (
	"fmt"
	"syscall"
)

// DiskSpace returns the room of the file system that holds path, as far as an
// ordinary user may use it.
func DiskSpace(path string) (Space, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return Space{}, fmt.Errorf("space of %s: %w", path, err)
	}
	return Space{Free: int64(st.Bavail) * int64(st.Bsize), Total: int64(st.Blocks) * int64(st.Bsize)}, nil
}
