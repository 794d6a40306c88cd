// # A tour of videomsg
//
// Read from the bottom up, once; after that each package explains itself.
//
// dsp and vision are arithmetic on sound and on pictures. dsp resamples,
// changes the prosody of speech (dsp/prosody), composes music (dsp/music), lays
// it under a voice (dsp/mix) and measures loudness (dsp/loudness). vision reads
// pictures safely, finds faces (vision/face), cuts people out
// (vision/matting), draws backgrounds (vision/background) and makes a portrait
// speak (vision/portrait). Neither knows a file, a context or a network.
//
// events is the contract: what a task asks for (Request), what travels (Job),
// what happens (Event), and on which subject it is said. objectstore keeps the
// blobs that events name by key, because events carry no personal data.
// engines run programs and services in order of preference, and say who served
// and why the others did not.
//
// broker starts the embedded nats-server or dials a cluster, and declares the
// one stream, the status bucket and the blob bucket. producers puts events on the
// stream, each at most once. status folds the stream into one document per task,
// indifferent to order.
//
// consumers takes requests off the stream. consumers.Runner.Serve is the only
// loop: it keeps the lease, the deadline, the retries, the resuming and the
// handing on, so that a stage is a plain function: consumers/image, voice,
// prosody, bgm, video. consumers.Runner.Dispatch turns a submission into the
// first request and a wish to cancel into an end.
//
// gateway is HTTP: uploads stream into the blob store, a task is one message,
// status comes from the projection, events from the stream.
//
// This package puts the values together: app.go holds the table of stages,
// serve.go the order in which everything starts and stops, config.go every
// setting.
//
// The way of one message, in nine files: main.go, gateway/generate.go,
// producers/submit.go, events/events.go, consumers/consumers.go,
// consumers/image/image.go, engines/engines.go, consumers/video/video.go,
// status/status.go.
package main
