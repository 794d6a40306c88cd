// Command drawportrait paints the sample portrait of the tests, the demo and
// the README:
//
//	go run ./internal/drawportrait -o testdata/portrait/sample.jpg
package main

import (
	"flag"
	"fmt"
	"image/jpeg"
	"image/png"
	"os"
	"strings"

	"github.com/videomsg/videomsg/vision/drawn"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "drawportrait:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	fs := flag.NewFlagSet("drawportrait", flag.ContinueOnError)
	out := fs.String("o", "testdata/portrait/sample.jpg", "output, .jpg or .png")
	o := drawn.Options{}
	fs.IntVar(&o.W, "w", 1024, "width, pixels")
	fs.IntVar(&o.H, "h", 1024, "height, pixels")
	fs.Float64Var(&o.Size, "size", 0.138, "pupil distance as a share of the shorter side")
	fs.Float64Var(&o.CenterY, "y", 0.42, "height of the eyes as a share of the height")
	fs.Float64Var(&o.Tilt, "tilt", 0, "radians")
	fs.Float64Var(&o.Yaw, "yaw", 0, "radians")
	fs.Float64Var(&o.Tone, "tone", 0.2, "skin, 0 light … 1 dark")
	fs.Float64Var(&o.Smile, "smile", 0.13, "0 closed … 1 wide")
	fs.Float64Var(&o.Noise, "noise", 1.2, "grey levels")
	fs.BoolVar(&o.Glasses, "glasses", false, "")
	fs.BoolVar(&o.Beard, "beard", false, "")
	short := fs.Bool("short", false, "short hair")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *short {
		o.Hair = drawn.Short
	}
	im, _ := drawn.Portrait(o)
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if strings.HasSuffix(*out, ".png") {
		return png.Encode(f, im)
	}
	return jpeg.Encode(f, im, &jpeg.Options{Quality: 90})
}
