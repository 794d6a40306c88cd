package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// composeFiles loads every variant with every profile and holds each service
// against what production asks of it.
func composeFiles(ctx context.Context, dir string) error {
	var errs []error
	for _, files := range [][]string{{"compose.yaml"}, {"compose.yaml", "compose.prod.yaml"}, {"compose.yaml", "compose.s3.yaml"}} {
		p, err := load(ctx, dir, files)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", strings.Join(files, " + "), err))
			continue
		}
		for _, s := range p.Services {
			for _, why := range service(s) {
				errs = append(errs, fmt.Errorf("%s: service %s: %s", files[len(files)-1], s.Name, why))
			}
		}
		for name, c := range p.Configs {
			if _, err := os.Stat(c.File); err != nil {
				errs = append(errs, fmt.Errorf("config %s: %w", name, err))
			}
		}
		fmt.Printf("%s: %d services\n", strings.Join(files, " + "), len(p.Services))
	}
	return errors.Join(errs...)
}

func load(ctx context.Context, dir string, files []string) (*types.Project, error) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = filepath.Join(dir, f)
	}
	opts, err := cli.NewProjectOptions(paths, cli.WithProfiles([]string{"*"}), cli.WithEnv([]string{
		"VIDEOMSG_IMAGE=videomsg:1.0.0", "SITE_CERT=/cert.pem", "SITE_KEY=/key.pem", "S3_BUCKET_NAME=blobs",
	}))
	if err != nil {
		return nil, err
	}
	return opts.LoadProject(ctx)
}

// foreign are images whose programs need root or write where they like.
var foreign = []string{"voicevox", "rembg", "openvoice"}

// service says what is missing from a service.
func service(s types.ServiceConfig) (missing []string) {
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, what)
		}
	}
	need(s.Deploy != nil && s.Deploy.Resources.Limits != nil && s.Deploy.Resources.Limits.MemoryBytes > 0, "no memory limit")
	need(s.Deploy != nil && s.Deploy.Resources.Limits != nil && s.Deploy.Resources.Limits.NanoCPUs > 0, "no cpu limit")
	need(slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "no no-new-privileges")
	need(!s.Privileged, "privileged")
	tag := s.Image[strings.LastIndexByte(s.Image, '/')+1:]
	need(strings.Contains(tag, ":") && !strings.HasSuffix(tag, ":latest"), "image "+s.Image+" has no version")
	if !slices.Contains(foreign, s.Name) {
		need(s.ReadOnly, "root file system is writable")
		need(slices.Contains(s.CapDrop, "ALL"), "keeps capabilities")
		need(s.User != "" || s.Name == "nginx", "runs as the image's user") // nginx drops to its own
		need(s.User != "0:0" || s.NetworkMode == "none", "runs as root with a network")
	}
	for name, v := range s.Environment {
		secret := strings.Contains(name, "SECRET") || strings.Contains(name, "PASSWORD") || strings.Contains(name, "TOKEN")
		need(!secret || v == nil || strings.HasPrefix(*v, "/run/secrets/"), name+" is not a file")
	}
	return missing
}
