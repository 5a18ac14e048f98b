package main

import "os"

//go:noinline
func take(file *os.File) int {
	got, _ := file.Read(make([]byte, 8)) // HERE take
	return got
}

func main() {
	os.Exit(take(os.Stdin)) // HERE main
}
