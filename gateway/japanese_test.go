package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
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

// TestWhatStagesTellIsTranslated reads the source of stages and engines for what
// the owner of a task reads.
func TestWhatStagesTellIsTranslated(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../consumers/*.go", "../consumers/*/*.go", "../engines/*.go", "../engines/*/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	found := 0
	check := func(file string, e ast.Expr) {
		s := strings.ReplaceAll(words(e), "{}", "7")
		if strings.Trim(s, "7") == "" {
			return // told by somebody else
		}
		found++
		if inJapanese(s) == s {
			t.Errorf("%s: %q has no Japanese", file, s)
		}
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/notify/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				switch lastName(n.Fun) {
				case "Fail":
					check(name, n.Args[1])
				case "WithReason":
					check(name, n.Args[1])
				case "append":
					if remarks := lastName(n.Args[0]); strings.EqualFold(remarks, "remarks") && !n.Ellipsis.IsValid() {
						check(name, n.Args[1])
					}
				}
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "Note" && len(n.Elts) == 2 {
					check(name, n.Elts[1])
				}
			case *ast.KeyValueExpr:
				key, ok := n.Key.(*ast.Ident)
				list, isList := n.Value.(*ast.CompositeLit)
				_, reason := n.Key.(*ast.BasicLit)
				switch {
				case reason && strings.HasSuffix(name, "speech/notes.go"):
					check(name, n.Value)
				case ok && key.Name == "Detail" && !strings.Contains(name, "speech"):
					check(name, n.Value)
				case ok && key.Name == "Remarks" && isList:
					for _, e := range list.Elts {
						check(name, e)
					}
				}
			case *ast.AssignStmt:
				if lastName(n.Lhs[0]) == "Detail" && n.Tok == token.ASSIGN {
					check(name, n.Rhs[0])
				}
			}
			return true
		})
	}
	if found < 50 {
		t.Errorf("only %d were found", found)
	}
}

// lastName is the last name of an expression.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
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
		"The talking style was used: the face is too dark.":   "talking スタイルを使いました: 顔が暗すぎます。",
		"something new": "something new",
		"":              "",
	} {
		if got := inJapanese(en); got != want {
			t.Errorf("%q: %q, want %q", en, got, want)
		}
	}
	seen := map[string]bool{}
	for _, p := range slices.Concat(phrases, told) {
		if seen[p.en] {
			t.Errorf("%q stands twice", p.en)
		}
		seen[p.en] = true
		if a, b := strings.Count(p.en, "{}"), strings.Count(p.ja, "{}"); b > a {
			t.Errorf("%q has %d values, its Japanese %d", p.en, a, b)
		}
	}
}

func TestStatusInTheClientsLanguage(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	h.finish(task, "bgm")
	h.ended(task, "failed")
	path := "/api/video/status/" + task
	tags := map[string]bool{}
	for language, want := range map[string]string{"": "The bgm stage failed.", "en": "The bgm stage failed.", "ja-JP,en;q=0.5": "bgm 工程が失敗しました。", "de": "The bgm stage failed."} {
		for range 2 { // the second time it is known
			r := h.do("GET", path, nil, "Accept-Language", language)
			if v := decode[view](t, r); v.Error == nil || v.Error.Detail != want || r.Header.Get("Vary") != "Accept-Language" {
				t.Errorf("%q: %+v, %v", language, v.Error, r.Header)
			}
			tags[r.Header.Get("ETag")] = true
			if r := h.do("GET", path, nil, "Accept-Language", language, "If-None-Match", r.Header.Get("ETag")); r.StatusCode != 304 {
				t.Errorf("%q: %s", language, r.Status)
			}
		}
	}
	if len(tags) != 2 {
		t.Errorf("two texts have the tags %v", tags)
	}
}
