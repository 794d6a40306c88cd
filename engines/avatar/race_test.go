//go:build race

package avatar

// race: the detector makes everything slower.
const race = true
