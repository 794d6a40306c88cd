package captions

import (
	"fmt"
	"math"
	"strings"
)

// SRT is the cues as SubRip. Players take <, { and \ for commands, so these
// become their full-width forms.
func SRT(cues []Cue) string {
	var b strings.Builder
	for i, c := range cues {
		fmt.Fprintf(&b, "%d\n%s --> %s\n%s\n\n", i+1, stamp(c.Start, ","), stamp(c.End, ","), plain(c.Text()))
	}
	return b.String()
}

// VTT is the cues as WebVTT (W3C).
func VTT(cues []Cue, language string) string {
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	if language != "" && !strings.ContainsAny(language, "\r\n") {
		b.WriteString("Language: " + language + "\n")
	}
	b.WriteString("\n")
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for i, c := range cues {
		fmt.Fprintf(&b, "%d\n%s --> %s\n%s\n\n", i+1, stamp(c.Start, "."), stamp(c.End, "."), escape.Replace(c.Text()))
	}
	return b.String()
}

// stamp is hh:mm:ss and milliseconds.
func stamp(s float64, sep string) string {
	ms := int64(math.Round(max(s, 0) * 1000))
	return fmt.Sprintf("%02d:%02d:%02d%s%03d", ms/3600000, ms/60000%60, ms/1000%60, sep, ms%1000)
}

// plain is text without anything that a renderer would take for a command.
func plain(s string) string {
	return strings.NewReplacer("{", "｛", "}", "｝", "\\", "＼", "<", "＜", ">", "＞").Replace(s)
}

// A Look says how captions are burned in.
type Look struct {
	W, H int    // of the video
	Font string // family; empty is "Noto Sans CJK JP"
}

// A Card is a title before the message: for whom, and from whom. Either may be
// empty.
type Card struct {
	To, From string
	End      float64 // seconds; it begins with the video
	Japanese bool    // to is "Xへ", not "To X"
}

// ASS is the cues, and a card if it has words, as Advanced SubStation Alpha for
// libass: what has been spoken is lit, character by character.
func ASS(cues []Cue, card Card, l Look) string {
	if l.Font == "" {
		l.Font = "Noto Sans CJK JP"
	}
	w, h := max(l.W, 64), max(l.H, 64)
	// Twenty characters and the margins fit into the width.
	size := min(0.062*float64(h), float64(w)*0.88/(MaxLine+0.5))
	size = max(size, 9)
	var b strings.Builder
	fmt.Fprintf(&b, "[Script Info]\nScriptType: v4.00+\nPlayResX: %d\nPlayResY: %d\nWrapStyle: 2\nScaledBorderAndShadow: yes\nYCbCr Matrix: TV.709\n\n", w, h)
	b.WriteString("[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n")
	font := strings.NewReplacer(",", " ", "\n", " ", "\r", " ").Replace(l.Font)
	// What has been spoken turns from white to a warm yellow: a step in colour is
	// seen at a glance, one in grey is not. The line height of CJK fonts is 1.45 of
	// what is meant by their size here.
	fmt.Fprintf(&b, "Style: Caption,%s,%.1f,&H007AE2FF,&H00FFFFFF,&H00202020,&H80000000,1,0,0,0,100,100,0,0,1,%.1f,0,2,%d,%d,%d,1\n",
		font, size*1.45, max(1, size*0.09), w/32, w/32, int(0.075*float64(h)))
	fmt.Fprintf(&b, "Style: Card,%s,%.1f,&H00FFFFFF,&H00FFFFFF,&H00202020,&H80000000,1,0,0,0,100,100,0,0,1,%.1f,0,5,%d,%d,0,1\n",
		font, size*1.45*1.9, max(1, size*0.07), w/16, w/16)
	fmt.Fprintf(&b, "Style: Shade,%s,20,&H60101010,&H60101010,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,0,0,7,0,0,0,1\n\n", font)
	b.WriteString("[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n")
	card.write(&b, w, h)
	for _, c := range cues {
		fmt.Fprintf(&b, "Dialogue: 1,%s,%s,Caption,,0,0,0,,%s\n", centi(c.Start), centi(c.End), karaoke(c))
	}
	return b.String()
}

// write adds the card: the picture is darkened, the names are in the middle.
func (c Card) write(b *strings.Builder, w, h int) {
	to, from := oneLine(c.To), oneLine(c.From)
	if to == "" && from == "" || !(c.End > 0.2) {
		return
	}
	var lines []string
	switch {
	case to != "" && c.Japanese:
		lines = append(lines, to+"へ")
	case to != "":
		lines = append(lines, "To "+to)
	}
	switch {
	case from != "" && c.Japanese:
		lines = append(lines, from+"より")
	case from != "":
		lines = append(lines, "From "+from)
	}
	// A long name is set smaller, so that it stays on the screen.
	widest := 1.0
	for _, l := range lines {
		n := 0.0
		for _, r := range l {
			n += cells(r)
		}
		widest = max(widest, n)
	}
	scale := int(min(100, 100*9/widest))
	fmt.Fprintf(b, "Dialogue: 2,%s,%s,Shade,,0,0,0,,{\\fad(0,400)\\pos(0,0)\\p1}m 0 0 l %d 0 %d %d 0 %d\n", centi(0), centi(c.End), w, w, h, h)
	fmt.Fprintf(b, "Dialogue: 3,%s,%s,Card,,0,0,0,,{\\fad(250,400)\\fscx%d\\fscy%d}%s\n", centi(0), centi(c.End), scale, scale, strings.Join(lines, "\\N"))
}

func oneLine(s string) string {
	return plain(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u2029' }), " "))
}

// karaoke is a cue's text in which each stretch lights up as it is spoken. \kf
// times count on from each other in hundredths of a second, so the pauses are
// written as well and rounding does not add up.
func karaoke(c Cue) string {
	var b strings.Builder
	spent := 0 // hundredths since the cue's start
	upTo := func(s float64) int {
		n := int(math.Round((s-c.Start)*100)) - spent
		n = max(n, 0)
		spent += n
		return n
	}
	for i, l := range c.Lines {
		if i > 0 {
			b.WriteString("\\N")
		}
		for _, ch := range l {
			if gap := upTo(ch.Start); gap > 0 {
				fmt.Fprintf(&b, "{\\k%d}", gap)
			}
			fmt.Fprintf(&b, "{\\kf%d}%s", upTo(ch.End), plain(string(ch.R)))
		}
	}
	return b.String()
}

// centi is h:mm:ss and hundredths.
func centi(s float64) string {
	cs := int64(math.Round(max(s, 0) * 100))
	return fmt.Sprintf("%d:%02d:%02d.%02d", cs/360000, cs/6000%60, cs/100%60, cs%100)
}
