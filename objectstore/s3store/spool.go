package s3store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"

	"github.com/videomsg/videomsg/objectstore"
)

// inMemory is the size up to which a body is kept in memory.
const inMemory = 1 << 20

// castagnoli is CRC-32C, which amd64 and arm64 compute in hardware.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spool is a body whose length and digest are known and that can be read again,
// in parts and concurrently.
type spool struct {
	io.ReaderAt
	size   int64
	sha256 string
	crc32c string
	file   *os.File // nil when in memory
}

func newSpool(ctx context.Context, dir string, r io.Reader) (*spool, error) {
	h, crc := sha256.New(), crc32.New(castagnoli)
	both := io.MultiWriter(h, crc)
	buf := make([]byte, inMemory+1)
	n, err := objectstore.ReadFull(ctx, r, buf)
	if err != nil && err != io.EOF {
		return nil, err
	}
	_, _ = both.Write(buf[:n]) // a hash takes everything
	s := &spool{size: int64(n)}
	if err == io.EOF {
		s.ReaderAt = bytes.NewReader(buf[:n])
		s.sha256, s.crc32c = hex.EncodeToString(h.Sum(nil)), hex.EncodeToString(crc.Sum(nil))
		return s, nil
	}
	f, err := os.CreateTemp(dir, "videomsg-spool-*")
	if err != nil {
		return nil, fmt.Errorf("spool: %w", classifyFile(err))
	}
	s.file, s.ReaderAt = f, f
	// Without a name it goes away with the process, however that ends. Where the
	// system cannot do this, Close removes it.
	_ = os.Remove(f.Name())
	for {
		if _, werr := f.Write(buf[:n]); werr != nil {
			return nil, errors.Join(fmt.Errorf("spool: %w", classifyFile(werr)), s.Close())
		}
		if err == io.EOF {
			break
		}
		if n, err = objectstore.ReadFull(ctx, r, buf); err != nil && err != io.EOF {
			return nil, errors.Join(err, s.Close())
		}
		_, _ = both.Write(buf[:n])
		s.size += int64(n)
	}
	s.sha256, s.crc32c = hex.EncodeToString(h.Sum(nil)), hex.EncodeToString(crc.Sum(nil))
	return s, nil
}

func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if rerr := os.Remove(s.file.Name()); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

func classifyFile(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", objectstore.ErrFull, err)
	}
	return fmt.Errorf("%w: %w", objectstore.ErrConfig, err)
}
