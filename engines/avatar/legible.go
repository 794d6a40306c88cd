package avatar

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
)

// Legible reports whether text in the script of two different characters can be
// burned in on this machine: nil, or why not. It draws both with the very filter
// that draws captions; where no font has them they come out as the same empty
// box, or not at all. dir is a private directory.
func Legible(ctx context.Context, dir, font string, a, b rune) error {
	const side = 48
	var doc strings.Builder
	fmt.Fprintf(&doc, "[Script Info]\nScriptType: v4.00+\nPlayResX: %d\nPlayResY: %d\n\n[V4+ Styles]\n", side, side)
	doc.WriteString("Format: Name, Fontname, Fontsize, PrimaryColour, Alignment, MarginV\n")
	fmt.Fprintf(&doc, "Style: S,%s,40,&H00FFFFFF,5,0\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n", font)
	fmt.Fprintf(&doc, "Dialogue: 0,0:00:00.00,0:00:01.00,S,%c\nDialogue: 0,0:00:01.00,0:00:02.00,S,%c\n", a, b)
	name := filepath.Join(dir, "legible.ass")
	if err := os.WriteFile(name, []byte(doc.String()), 0o600); err != nil {
		return err
	}
	var out bytes.Buffer
	err := ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", Dir: dir, Stdout: &out, Args: []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("color=c=black:s=%dx%d:r=1:d=2", side, side),
		"-vf", "ass=" + filepath.Base(name) + ",format=gray", "-f", "rawvideo", "pipe:1",
	}})
	if err != nil {
		return fmt.Errorf("draw letters: %w", err)
	}
	if out.Len() < 2*side*side {
		return fmt.Errorf("draw letters: %d bytes", out.Len())
	}
	first, second := out.Bytes()[:side*side], out.Bytes()[side*side:2*side*side]
	blank := func(p []byte) bool { return bytes.Count(p, p[:1]) == len(p) }
	if blank(first) || blank(second) || bytes.Equal(first, second) {
		return &engines.MissingError{What: "a font for the captions", Mend: "install the package fonts-noto-cjk"}
	}
	return nil
}
