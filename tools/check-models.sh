#!/bin/sh
# check-models.sh - the models of the hand-offs between CPUs hold, and find the bugs planted in them.
exec "$(dirname "$0")/../test/models/run.sh"
