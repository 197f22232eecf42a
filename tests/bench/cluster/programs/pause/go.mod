module localhost/bench/pause

go 1.26.0
