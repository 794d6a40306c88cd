//go:build race

package face_test

// measuring is off under the race detector, which makes pixel loops ten times
// slower and finds nothing new in the many faces that only measure accuracy.
const measuring = false
