package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

type ruleFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Record      string            `yaml:"record"`
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// rules checks expressions, the metrics they name, and that each alert has a
// runbook.
func rules(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "prometheus/rules.yml"))
	if err != nil {
		return err
	}
	var f ruleFile
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return fmt.Errorf("rules.yml: %w", err)
	}
	manual, err := os.ReadFile(filepath.Join(dir, "../docs/operations.md"))
	if err != nil {
		return err
	}
	known, err := metrics(dir)
	if err != nil {
		return err
	}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				known = append(known, r.Record)
			}
		}
	}
	var errs []error
	alerts := 0
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			name := r.Record + r.Alert
			if err := query(r.Expr, known); err != nil {
				errs = append(errs, fmt.Errorf("rule %s: %w", name, err))
			}
			if r.Alert == "" {
				continue
			}
			alerts++
			if _, err := time.ParseDuration(r.For); err != nil {
				errs = append(errs, fmt.Errorf("alert %s: for: %w", name, err))
			}
			if r.Labels["severity"] != "page" && r.Labels["severity"] != "ticket" {
				errs = append(errs, fmt.Errorf("alert %s: severity %q", name, r.Labels["severity"]))
			}
			if !bytes.Contains(manual, []byte("\n### "+r.Alert+"\n")) {
				errs = append(errs, fmt.Errorf("alert %s has no runbook in docs/operations.md", name))
			}
			if want := "docs/operations.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
				errs = append(errs, fmt.Errorf("alert %s: runbook is not %s", name, want))
			}
			if r.Annotations["summary"] == "" {
				errs = append(errs, fmt.Errorf("alert %s has no summary", name))
			}
		}
	}
	fmt.Printf("rules.yml: %d alerts\n", alerts)
	return errors.Join(errs...)
}

// dashboard checks every query of the dashboard.
func dashboard(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "grafana/videomsg.json"))
	if err != nil {
		return err
	}
	var d struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	known, err := metrics(dir)
	if err != nil {
		return err
	}
	var errs []error
	var ids []int
	for _, p := range d.Panels {
		if slices.Contains(ids, p.ID) {
			errs = append(errs, fmt.Errorf("panel id %d is used twice", p.ID))
		}
		ids = append(ids, p.ID)
		if len(p.Targets) == 0 {
			errs = append(errs, fmt.Errorf("panel %q shows nothing", p.Title))
		}
		for _, t := range p.Targets {
			if err := query(t.Expr, known); err != nil {
				errs = append(errs, fmt.Errorf("panel %q: %w", p.Title, err))
			}
		}
	}
	fmt.Printf("dashboard: %d panels\n", len(d.Panels))
	return errors.Join(errs...)
}

// query parses a PromQL expression and checks the metrics it names.
func query(expr string, known []string) error {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return err
	}
	var errs []error
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			name := v.Name
			for _, m := range v.LabelMatchers {
				if m.Name == labels.MetricName {
					name = m.Value
				}
			}
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base, ok := strings.CutSuffix(name, suffix); ok && slices.Contains(known, base) {
					name = base
				}
			}
			if !slices.Contains(known, name) {
				errs = append(errs, fmt.Errorf("nobody exports %s", name))
			}
		}
		return nil
	})
	return errors.Join(errs...)
}

var named = regexp.MustCompile(`(?:Name: |desc\()"([a-z_]+)"`)

// metrics are the names the program exports, as its source says.
func metrics(dir string) ([]string, error) {
	known := []string{"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
	for _, pattern := range []string{"../*.go", "../gateway/*.go"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			for _, m := range named.FindAllStringSubmatch(string(b), -1) {
				known = append(known, m[1])
			}
		}
	}
	return known, nil
}
