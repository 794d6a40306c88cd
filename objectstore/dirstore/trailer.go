package dirstore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

// A file is content ‖ one CRC-32C per block of blockSize ‖ footer. The block
// sums let a reader refuse damage before it hands a byte on, also in the middle
// of a file, at memory speed; the SHA-256 is the object's identity. Integers are
// big-endian.
//
// Footer, 64 bytes: SHA-256 (32) ‖ content size (8) ‖ block size (4) ‖
// CRC-32C of the block sums (4) ‖ 4 zero bytes ‖ CRC-32C of the footer so far
// (4) ‖ magic (8).
const (
	blockSize  = 128 << 10
	footerSize = 64
	magic      = "vmblob1\n"
)

// castagnoli is CRC-32C, which amd64 and arm64 compute in hardware.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type trailer struct {
	size    int64
	sha256  [32]byte
	block   int64
	sums    []byte // 4 bytes a block
	modTime time.Time
}

func (t trailer) info(key string) objectstore.Info {
	return objectstore.Info{Key: key, Size: t.size, SHA256: hex.EncodeToString(t.sha256[:]), ModTime: t.modTime}
}

func (t trailer) encode() []byte {
	b := append([]byte(nil), t.sums...)
	n := len(b)
	b = append(b, t.sha256[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	b = binary.BigEndian.AppendUint32(b, uint32(t.block))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(t.sums, castagnoli))
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b[n:], castagnoli))
	return append(b, magic...)
}

// readFooter reads and checks the footer, not the block sums.
func readFooter(f *os.File) (trailer, uint32, error) {
	fi, err := f.Stat()
	if err != nil {
		return trailer{}, 0, err
	}
	b := make([]byte, footerSize)
	if fi.Size() < footerSize {
		return trailer{}, 0, fmt.Errorf("file of %d bytes: %w", fi.Size(), objectstore.ErrCorrupt)
	}
	if _, err := f.ReadAt(b, fi.Size()-footerSize); err != nil {
		return trailer{}, 0, err
	}
	if string(b[56:]) != magic || binary.BigEndian.Uint32(b[52:]) != crc32.Checksum(b[:52], castagnoli) {
		return trailer{}, 0, fmt.Errorf("footer: %w", objectstore.ErrCorrupt)
	}
	t := trailer{
		sha256:  [32]byte(b),
		size:    int64(binary.BigEndian.Uint64(b[32:])),
		block:   int64(binary.BigEndian.Uint32(b[40:])),
		modTime: fi.ModTime(),
	}
	// Sizes come from a file: nothing may be allocated before they fit it.
	if t.block < 1 || t.block > 16<<20 || t.size < 0 || t.size > fi.Size() ||
		t.size+4*t.blocks()+footerSize != fi.Size() {
		return trailer{}, 0, fmt.Errorf("footer of a file of %d bytes says %d: %w", fi.Size(), t.size, objectstore.ErrCorrupt)
	}
	return t, binary.BigEndian.Uint32(b[44:]), nil
}

func (t trailer) blocks() int64 { return (t.size + t.block - 1) / t.block }

// readSums adds the block sums to t.
func (t *trailer) readSums(f *os.File, want uint32) error {
	t.sums = make([]byte, 4*t.blocks())
	if _, err := f.ReadAt(t.sums, t.size); err != nil && (err != io.EOF || len(t.sums) > 0) {
		return err
	}
	if crc32.Checksum(t.sums, castagnoli) != want {
		return fmt.Errorf("block sums: %w", objectstore.ErrCorrupt)
	}
	return nil
}

func (t trailer) sum(block int64) uint32 { return binary.BigEndian.Uint32(t.sums[4*block:]) }
