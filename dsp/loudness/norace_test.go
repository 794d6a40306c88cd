//go:build !race

package loudness_test

const underRace = false
