"""Problems: losses of one network without targets. One file each, found by discovery."""
