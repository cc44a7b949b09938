"""Drawing stored pictures anew, choosing between candidates, and pruning."""
