//go:build !race

package face_test

const measuring = true
