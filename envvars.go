package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// maxSecret bounds what is read from a file of a setting.
const maxSecret = 64 << 10

// value is a setting's text: NAME, or the content of the file that NAME_FILE
// names, as container platforms hand over secrets.
func value(getenv func(string) string, name string) (string, error) {
	v, path := getenv(name), getenv(name+"_FILE")
	if path == "" {
		return v, nil
	}
	if v != "" {
		return "", fmt.Errorf("%s and %s_FILE are both set", name, name)
	}
	b, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("%s_FILE: %s has more than %d bytes", name, path, maxSecret)
	}
	if v = strings.TrimRight(string(b), "\r\n"); v == "" {
		return "", fmt.Errorf("%s_FILE: %s is empty", name, path)
	}
	return v, nil
}

// secret reports whether a setting's value must not be shown.
func secret(name string) bool {
	return slices.ContainsFunc([]string{"SECRET", "TOKEN", "API_KEY"}, func(s string) bool { return strings.Contains(name, s) })
}

// checkNames refuses variables that look like settings and are none: a setting
// with a typing error would otherwise be off without a word.
func checkNames(environ []string) error {
	var known, prefixes []string
	for _, s := range settings() {
		known = append(known, s.name, s.name+"_FILE")
		if head, _, ok := strings.Cut(s.name, "_"); ok && !slices.Contains(shared, head) {
			prefixes = append(prefixes, head+"_")
		}
	}
	var errs []error
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(known, name) || serviceLink(name) {
			continue
		}
		near, d := nearest(name, known)
		ours := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		switch close := d <= 2 && len(name) >= 8; {
		case ours && d <= 4, close:
			errs = append(errs, fmt.Errorf("%s is not a setting; did you mean %s?", name, near))
		case ours:
			errs = append(errs, fmt.Errorf("%s is not a setting; `videomsg env` lists them", name))
		}
	}
	return errors.Join(errs...)
}

// shared are first words of settings that other programs use as well.
var shared = []string{"AWS", "DATA", "LOG", "TASK", "BULK", "CACHE", "CORS", "RATE", "SHUTDOWN", "TRUSTED", "OTEL"}

// serviceLink reports whether Kubernetes made the variable for a service.
func serviceLink(name string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.HasSuffix(name, "_SERVICE_PORT") ||
		strings.Contains(name, "_SERVICE_PORT_") || strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// nearest is the known name with the fewest edits from name.
func nearest(name string, known []string) (best string, edits int) {
	edits = len(name) + 1
	for _, k := range known {
		if d := distance(name, k); d < edits {
			best, edits = k, d
		}
	}
	return best, edits
}

// distance is how many insertions, deletions and replacements of bytes lead from
// a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

type envCmd struct {
	Markdown bool `help:"Print the table of the README."`
}

// Run prints every setting with its default and what it is for.
func (c envCmd) Run(e *env) error {
	if c.Markdown {
		_, err := fmt.Fprint(e.stdout, settingsTable())
		return err
	}
	for _, s := range settings() {
		if _, err := fmt.Fprintf(e.stdout, "%s=%s\n    %s\n", s.name, s.def, s.help); err != nil {
			return err
		}
	}
	return nil
}

// settingsTable is the README's table of environment variables.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n| --- | --- | --- |\n")
	for _, s := range settings() {
		def := ""
		if s.def != "" {
			def = "`" + s.def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.name, def, s.help)
	}
	return b.String()
}
