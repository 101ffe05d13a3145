package main

import (
	"encoding/json"
	"net/http"
)

// received asks a target how many messages it has received; -1 if it does not
// answer.
func received(address string) int64 {
	resp, err := http.Get("http://" + address + "/stats")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	var stats struct {
		Received int64 `json:"received"`
	}
	if json.NewDecoder(resp.Body).Decode(&stats) != nil {
		return -1
	}
	return stats.Received
}
