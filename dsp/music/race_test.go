//go:build race

package music_test

// underRace: the detector makes the inner loops ten times slower, so long
// signals are measured in the plain run only.
const underRace = true
