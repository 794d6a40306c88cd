package portrait_test

import (
	"fmt"
	"io"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/portrait"
)

// A portrait says "ma" while its frames go to an encoder as raw yuv420p.
func ExampleRender() {
	picture, _ := drawn.Portrait(drawn.Options{W: 320, H: 320, Size: 0.17})
	encoder := io.Discard // the pipe of ffmpeg -f rawvideo -pix_fmt yuv420p
	voice := dsp.New(48000, 1, 48000)
	for i := 12000; i < 24000; i++ {
		voice.Ch[0][i] = 0.2 * float32(i%240-120) / 120
	}
	o := portrait.DefaultOptions()
	o.W, o.H, o.Label = 256, 256, "AI生成"
	report, err := portrait.Render(o, portrait.Input{
		Image:  picture,
		Voice:  voice,
		Phones: []portrait.Phone{{Start: 0, End: 0.25, P: "sil"}, {Start: 0.25, End: 0.32, P: "m"}, {Start: 0.32, End: 0.5, P: "a"}, {Start: 0.5, End: 1, P: "sil"}},
	}, func(f *portrait.Frame) error {
		for _, plane := range [][]byte{f.Y, f.U, f.V} {
			if _, err := encoder.Write(plane); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(report.Style, report.Timing, report.Frames, err)
	// Output: talking phones 25 <nil>
}
