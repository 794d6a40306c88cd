package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var verbs = regexp.MustCompile(`%[dgsq]`)

// TestEveryDetailIsTranslated reads the source for what clients are told.
func TestEveryDetailIsTranslated(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fn, ok := call.Fun.(*ast.Ident)
			if !ok || fn.Name != "newProblem" && fn.Name != "badField" {
				return true
			}
			s := words(call.Args[len(call.Args)-1])
			if s == "" || s == "{}" || s == "{}: {}" || !strings.ContainsAny(s, "abcdefghijklmnopqrstuvwxyz") {
				return true
			}
			found++
			if got := inJapanese(strings.ReplaceAll(s, "{}", "7")); got == strings.ReplaceAll(s, "{}", "7") {
				t.Errorf("%s: %q has no Japanese", name, s)
			}
			return true
		})
	}
	if found < 80 {
		t.Errorf("only %d details were found", found)
	}
}

// words is the text of an expression, with {} for what is not constant.
func words(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			return ""
		}
		return s
	case *ast.BinaryExpr:
		return words(e.X) + words(e.Y)
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sprintf" {
			return verbs.ReplaceAllString(words(e.Args[0]), "{}")
		}
	}
	return "{}"
}

func TestJapaneseKeepsValues(t *testing.T) {
	for en, want := range map[string]string{
		"text: has 1001 characters; at most 1000 are allowed": "text: 1001 文字あります（上限は 1000 文字です）",
		"bgm_volume: must be a number from 0 to 1":            "bgm_volume: 0 から 1 の数値で指定してください",
		"aspect: must be one of 1:1, 9:16":                    "aspect: 次のいずれかを指定してください: 1:1, 9:16",
		"Try again in 12 s.":                                  "12 秒後にもう一度お試しください。",
		"something new":                                       "something new",
		"":                                                    "",
	} {
		if got := inJapanese(en); got != want {
			t.Errorf("%q: %q, want %q", en, got, want)
		}
	}
	seen := map[string]bool{}
	for _, p := range phrases {
		if seen[p.en] {
			t.Errorf("%q stands twice", p.en)
		}
		seen[p.en] = true
		if a, b := strings.Count(p.en, "{}"), strings.Count(p.ja, "{}"); b > a {
			t.Errorf("%q has %d values, its Japanese %d", p.en, a, b)
		}
	}
}
