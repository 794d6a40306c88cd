//go:build !race

package mix_test

const underRace = false
