// Package vision reads portraits safely and holds the pure functions on
// pictures that the image stage is made of: orientation, colour, framing,
// resizing and enhancement. Its folders cut a person out (vision/matting) and
// put them on another background (vision/background).
//
// The one idea: after [Read] there is only one kind of picture, an upright
// sRGB image with straight alpha whose size is bounded, so that nothing after
// it needs to know about files, formats, profiles or cameras.
//
// Every function is pure and safe for concurrent use; none keeps its arguments.
package vision

import "image"

// A Picture is a decoded, upright, metadata-free picture.
type Picture struct {
	// Image holds sRGB pixels with straight (not premultiplied) alpha; its
	// bounds start at (0, 0).
	Image *image.NRGBA
	// Header is what the file said about itself before decoding.
	Header Header
	// HasAlpha is true when at least one pixel is not fully opaque.
	HasAlpha bool
	// Notes tell what was changed or ignored on the way, in the order it happened.
	Notes []Note
}

// A Note is a stable word for something the sender of a picture may want to know.
type Note string

// The notes that Read can leave.
const (
	NoteFirstFrame   Note = "animated_first_frame_used" // the file is animated; the rest was ignored
	NoteOriented     Note = "orientation_applied"       // the EXIF orientation turned or mirrored the pixels
	NoteOrientation  Note = "orientation_invalid"       // the EXIF orientation is outside 1..8 and was ignored
	NoteProfile      Note = "colour_profile_converted"  // the ICC profile was not sRGB; colours were converted
	NoteProfileIgn   Note = "colour_profile_ignored"    // the ICC profile is of a kind we do not convert
	NoteCMYK         Note = "cmyk_converted"            // naive conversion from CMYK
	NoteReduced      Note = "reduced"                   // more pixels than Limits.Keep; averaged down
	NoteSixteenBit   Note = "sixteen_bit_reduced"       // 16 bits per sample became 8
	NoteAlreadyAlpha Note = "already_cut_out"           // transparent surroundings: see AlreadyCutOut
)

// AlreadyCutOut reports whether the picture arrives without a background: more
// than 1 % of its pixels are transparent, and so is most of its frame's border.
// Such a picture needs no matting.
func AlreadyCutOut(img *image.NRGBA) bool {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if w == 0 || h == 0 {
		return false
	}
	var clear, edge, edgeClear int
	for y := range h {
		row := img.Pix[y*img.Stride : y*img.Stride+4*w]
		for x := range w {
			border := y == 0 || y == h-1 || x == 0 || x == w-1
			if border {
				edge++
			}
			if row[4*x+3] < 128 {
				clear++
				if border {
					edgeClear++
				}
			}
		}
	}
	// A picture with nothing visible is not a cut-out of anybody.
	return clear*100 > w*h && clear < w*h && edgeClear*2 > edge
}
