//go:build !race

package music_test

const underRace = false
