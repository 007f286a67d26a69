"""The routes, one file for each area. They are thin: read, call one service, answer."""
