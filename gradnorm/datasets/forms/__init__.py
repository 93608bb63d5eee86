"""Forms of target, one file each: how a target is stored, its loss, its test metrics and how an answer is read."""
