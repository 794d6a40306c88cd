package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/videomsg/videomsg/consumers/video/provenance"
	"github.com/videomsg/videomsg/gateway"
)

type verifyCmd struct {
	File string   `arg:"" help:"Video to check; - is standard input." placeholder:"FILE"`
	Key  []string `help:"Public key that counts as known, in base64, beside the one of this installation." placeholder:"KEY"`
	Show bool     `help:"Print the public key of this installation and the whole record."`
}

// Errors of the command; the exit code is 1.
var errNotVerified = errors.New("the video is not verified")

// Run checks the record inside a video and says what it says.
func (c verifyCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	keys, err := knownKeys(conf, c.Key)
	if err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	v, err := provenance.Verify(in, keys...)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	yes := func(ok bool) string {
		if ok {
			return "yes"
		}
		return "NO"
	}
	r := v.Record
	fmt.Fprintf(e.stdout, "signature fits the record  %s\nvideo is as it was made    %s\nsigner is known            %s (%s)\n", yes(v.Signed), yes(v.Intact), yes(v.Known), v.PublicKey)
	fmt.Fprintf(e.stdout, "task     %s\nmade     %s by %s\nsource   %s\nlabel    %s\nconsent  %v\n", r.Task, r.Created.Format("2006-01-02 15:04:05 MST"), r.Generator, r.SourceType, r.Label, r.Consent.Declared)
	for _, stage := range slices.Sorted(maps.Keys(r.Engines)) {
		fmt.Fprintf(e.stdout, "engine   %s: %s\n", stage, r.Engines[stage])
	}
	for _, line := range r.Credits {
		fmt.Fprintf(e.stdout, "credit   %s\n", line)
	}
	if c.Show {
		for i, k := range keys {
			fmt.Fprintf(e.stdout, "known key %d: %s\n", i+1, base64.StdEncoding.EncodeToString(k))
		}
		for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
			fmt.Fprintf(e.stdout, "input    %s: sha256 %s\n", name, r.Inputs[name])
		}
		fmt.Fprintf(e.stdout, "output   %d bytes: sha256 %s\nparameters %s\n", r.Output.Bytes, r.Output.SHA256, r.Parameters)
	}
	if !v.OK() {
		return errNotVerified
	}
	return nil
}

// knownKeys are the installation's own public key, if it has made one, and more.
func knownKeys(c config, more []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	if _, err := os.Stat(c.Avatar.Key); err == nil {
		k, err := provenance.Key(c.Avatar.Key)
		if err != nil {
			return nil, err
		}
		if pub, ok := k.Public().(ed25519.PublicKey); ok {
			keys = append(keys, pub)
		}
	}
	for _, s := range more {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
		if err != nil || len(b) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("key %q is not 32 bytes in base64", s)
		}
		keys = append(keys, b)
	}
	return keys, nil
}

// verifier answers POST /api/verify.
func (a *app) verifier(r io.Reader) (gateway.Verification, error) {
	keys, err := knownKeys(a.conf, nil)
	if err != nil {
		return gateway.Verification{}, err
	}
	v, err := provenance.Verify(r, keys...)
	switch {
	case errors.Is(err, provenance.ErrNoRecord), errors.Is(err, provenance.ErrDamaged):
		return gateway.Verification{Reason: err.Error()}, nil
	case err != nil:
		return gateway.Verification{}, err
	}
	out := gateway.Verification{Verified: v.OK(), Signed: v.Signed, Intact: v.Intact, KnownSigner: v.Known, PublicKey: v.PublicKey, Record: &gateway.Provenance{
		Task: v.Record.Task, Created: v.Record.Created, Generator: v.Record.Generator, SourceType: v.Record.SourceType,
		Label: v.Record.Label, Engines: v.Record.Engines, Credits: v.Record.Credits, Inputs: v.Record.Inputs, Consent: v.Record.Consent.Declared,
	}}
	switch {
	case !v.Signed:
		out.Reason = "the signature does not fit the record"
	case !v.Intact:
		out.Reason = "the video was changed after it was signed"
	case !v.Known:
		out.Reason = "it was signed by somebody this service does not know"
	}
	return out, nil
}
