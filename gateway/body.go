package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"
)

// maxJSON is the longest JSON body.
const maxJSON = 64 << 10

// readJSON decodes a JSON body of known members into v.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return newProblem(codeMediaType, "The body must be application/json.")
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return broken(err)
	}
	if !utf8.Valid(b) {
		return newProblem(codeBadRequest, "The body is not valid UTF-8.")
	}
	sum := sha256.Sum256(b)
	if err := remember(r, hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	return decodeJSON(b, v)
}

// decodeJSON is strict: one value, known members, each named once.
func decodeJSON(b []byte, v any) error {
	if err := checkMembers(b); err != nil {
		return newProblem(codeBadRequest, "The body is not a proper JSON object.").because(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return badField(codeRange, clipName(kind.Field), "has the wrong type").because(err)
		}
		return newProblem(codeBadRequest, "The body is malformed or has members that are not known.").because(err)
	}
	return nil
}

// maxDepth bounds the nesting of JSON from clients.
const maxDepth = 16

// checkMembers refuses what encoding/json would quietly mend: members named
// twice (of which the last would win), values behind the first, deep nesting.
func checkMembers(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := checkValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errors.New("nested too deeply")
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := name.(string)
			if seen[key] {
				return fmt.Errorf("member %q stands twice", clipName(key))
			}
			seen[key] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
