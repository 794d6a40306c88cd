// Package provenance says where a video comes from, inside the file itself: an
// XMP packet with the IPTC digital source type, which other programs read, and a
// record of how it was made, signed with Ed25519 (RFC 8032), which this package
// verifies. Both are `uuid` boxes (ISO/IEC 14496-12) after everything else, where
// players skip them and no offset changes.
package provenance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// IPTC digital source types (http://cv.iptc.org/newscodes/digitalsourcetype/).
const (
	// Composite is a real picture with synthetic parts, made without a trained
	// model of ours: the local renderer and synthesiser.
	Composite = "compositeSynthetic"
	// Learned is a result in which a trained generative model took part.
	Learned = "compositeWithTrainedAlgorithmicMedia"
)

const sourceTypes = "http://cv.iptc.org/newscodes/digitalsourcetype/"

// A Record is what is known about how a video was made. It has no personal data:
// texts, names and pictures appear as digests only.
type Record struct {
	Version    int               `json:"version"` // 1
	Task       string            `json:"task"`
	Created    time.Time         `json:"created"`
	Generator  string            `json:"generator"`
	SourceType string            `json:"digital_source_type"` // IPTC code
	Synthetic  bool              `json:"synthetic"`           // always true
	Label      string            `json:"label"`               // corner of the visible label, or "off"
	Engines    map[string]string `json:"engines"`             // by stage
	Credits    []string          `json:"credits,omitempty"`
	Parameters json.RawMessage   `json:"parameters,omitempty"`
	Inputs     map[string]string `json:"inputs"` // SHA-256 of what was submitted, by name
	Consent    Consent           `json:"consent"`
	Output     Output            `json:"output"`
}

// Consent is what the sender declared.
type Consent struct {
	Declared bool   `json:"declared"`
	Profile  string `json:"voice_profile,omitempty"` // cloned voice whose consent is on file
}

// Output is the file the record is about.
type Output struct {
	// SHA256 is the digest of the file up to the box of the record.
	SHA256  string  `json:"sha256"`
	Bytes   int64   `json:"bytes"` // as far as the digest goes
	Seconds float64 `json:"seconds"`
	Style   string  `json:"style,omitempty"`
}

// A Signed is a record with its signature.
type Signed struct {
	Record    json.RawMessage `json:"record"` // the bytes that are signed, compacted
	Algorithm string          `json:"algorithm"`
	PublicKey string          `json:"public_key"` // base64
	Signature string          `json:"signature"`  // base64
}

const algorithm = "Ed25519"

// signedBytes has a prefix of its own, so that a signature cannot be passed off
// as one over something else.
func signedBytes(record []byte) []byte { return append([]byte("videomsg provenance 1\n"), record...) }

// Errors of reading and verifying.
var (
	ErrNoRecord = errors.New("the file has no provenance record")
	ErrDamaged  = errors.New("the provenance record cannot be read")
)

// UUIDs of the boxes: XMP in ISO base media files (Adobe XMP Specification part
// 3), and one of our own.
var (
	boxXMP    = [16]byte{0xBE, 0x7A, 0xCF, 0xCB, 0x97, 0xA9, 0x42, 0xE8, 0x9C, 0x71, 0x99, 0x94, 0x91, 0xE3, 0xAF, 0xAC}
	boxRecord = [16]byte{0x5b, 0x1e, 0x0c, 0x6a, 0x27, 0x6f, 0x4d, 0x0b, 0x9a, 0x52, 0x7e, 0x76, 0x69, 0x64, 0x6d, 0x67}
)

const maxRecord = 256 << 10

func box(id [16]byte, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(24+len(payload)))
	b = append(b, "uuid"...)
	return append(append(b, id[:]...), payload...)
}

// Sign appends XMP and signed record to the file at path, and returns the record
// as it is in the file. The record's Output digest is filled in here. A file may
// be signed once.
func Sign(path string, r Record, key ed25519.PrivateKey) (_ []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(box(boxXMP, xmp(r))); err != nil {
		return nil, fmt.Errorf("write xmp: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	h := sha256.New()
	if r.Output.Bytes, err = io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("digest of the file: %w", err)
	}
	r.Version, r.Synthetic, r.Output.SHA256 = 1, true, hex.EncodeToString(h.Sum(nil))
	record, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	pub, _ := key.Public().(ed25519.PublicKey)
	signed, err := json.Marshal(Signed{
		Record: record, Algorithm: algorithm, PublicKey: base64.StdEncoding.EncodeToString(pub),
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, signedBytes(record))),
	})
	if err != nil {
		return nil, err
	}
	if len(signed) > maxRecord {
		err = fmt.Errorf("record of %d bytes", len(signed))
	} else {
		_, err = f.Write(box(boxRecord, signed))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write record: %w", err), f.Truncate(end))
	}
	return signed, nil
}

// xmp is the packet for other programs.
func xmp(r Record) []byte {
	var by bytes.Buffer
	_ = xml.EscapeText(&by, []byte(r.Generator)) // a buffer takes everything
	return []byte(`<?xpacket begin="` + "\ufeff" + `" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><Iptc4xmpExt:DigitalSourceType>` +
		sourceTypes + r.SourceType + `</Iptc4xmpExt:DigitalSourceType><xmp:CreatorTool>` + by.String() + `</xmp:CreatorTool></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>`)
}

// A Verdict is what Verify found out.
type Verdict struct {
	// Signed: the signature fits the record. Intact: the file is, to the last
	// byte, what the record is about. Known: the key is one of those trusted.
	Signed    bool   `json:"signed"`
	Intact    bool   `json:"intact"`
	Known     bool   `json:"known"`
	PublicKey string `json:"public_key"` // base64
	Record    Record `json:"record"`
}

// OK reports whether the video is as it was made, by a known signer.
func (v Verdict) OK() bool { return v.Signed && v.Intact && v.Known }

// Verify reads a video from r, to the end, and checks the record in it. trusted
// are the keys that count as known. It fails with ErrNoRecord or ErrDamaged, or
// with the error of r; a record that does not fit the file is no error but a
// Verdict that is not OK. It keeps no more than the record in memory.
func Verify(r io.Reader, trusted ...ed25519.PublicKey) (Verdict, error) {
	digest, n, raw, rest, err := scan(r)
	if err != nil {
		return Verdict{}, err
	}
	var s Signed
	var v Verdict
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&s); err != nil {
		return Verdict{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if s.Algorithm != algorithm {
		return Verdict{}, fmt.Errorf("%w: signed by %q", ErrDamaged, s.Algorithm)
	}
	if err := json.Unmarshal(s.Record, &v.Record); err != nil {
		return Verdict{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	pub, err1 := base64.StdEncoding.Strict().DecodeString(s.PublicKey)
	sig, err2 := base64.StdEncoding.Strict().DecodeString(s.Signature)
	if err := errors.Join(err1, err2); err != nil || len(pub) != ed25519.PublicKeySize {
		return Verdict{}, fmt.Errorf("%w: key or signature", ErrDamaged)
	}
	v.PublicKey = s.PublicKey
	v.Signed = ed25519.Verify(pub, signedBytes(s.Record), sig)
	v.Intact = v.Record.Output.SHA256 == digest && v.Record.Output.Bytes == n && rest == 0
	for _, k := range trusted {
		v.Known = v.Known || k.Equal(ed25519.PublicKey(pub))
	}
	return v, nil
}

// scan walks over the boxes of a file: the digest and length of all before the
// record, the record, and how many bytes follow it.
func scan(r io.Reader) (digest string, n int64, record []byte, rest int64, err error) {
	h := sha256.New()
	for {
		var head [8]byte
		got, err := io.ReadFull(r, head[:])
		if errors.Is(err, io.EOF) && got == 0 {
			return "", 0, nil, 0, ErrNoRecord
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return "", 0, nil, 0, fmt.Errorf("%w: it ends in the middle", ErrNoRecord)
		}
		if err != nil {
			return "", 0, nil, 0, err
		}
		size, header := int64(binary.BigEndian.Uint32(head[:4])), head[:]
		if size == 1 { // a 64-bit size follows
			var large [8]byte
			if _, err := io.ReadFull(r, large[:]); err != nil {
				return "", 0, nil, 0, cut(err)
			}
			header = append(header[:8:8], large[:]...)
			size = int64(binary.BigEndian.Uint64(large[:])) //nolint:gosec // negative is refused below
		}
		body := size - int64(len(header))
		if n == 0 && string(head[4:8]) != "ftyp" {
			return "", 0, nil, 0, fmt.Errorf("%w: it is no MP4 file", ErrNoRecord)
		}
		if size == 0 || body < 0 { // to the end of the file, or nonsense: no record after it
			return "", 0, nil, 0, ErrNoRecord
		}
		if string(head[4:8]) == "uuid" && body >= 16 {
			var id [16]byte
			if _, err := io.ReadFull(r, id[:]); err != nil {
				return "", 0, nil, 0, cut(err)
			}
			body -= 16
			if id == boxRecord {
				if body > maxRecord {
					return "", 0, nil, 0, fmt.Errorf("%w: %d bytes", ErrDamaged, body)
				}
				record = make([]byte, body)
				if _, err := io.ReadFull(r, record); err != nil {
					return "", 0, nil, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
				}
				rest, err := io.Copy(io.Discard, r)
				return hex.EncodeToString(h.Sum(nil)), n, record, rest, err
			}
			header = append(header[:len(header):len(header)], id[:]...)
		}
		h.Write(header)
		copied, err := io.CopyN(h, r, body)
		n += int64(len(header)) + copied
		if err != nil {
			return "", 0, nil, 0, cut(err)
		}
	}
}

// cut says that a file ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in the middle", ErrNoRecord)
	}
	return err
}
