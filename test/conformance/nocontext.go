package main

import stdcontext "context"

// noContext is what calls take that could be cancelled, and are not.
var noContext = stdcontext.Background()
