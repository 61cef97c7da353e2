# shellcheck shell=sh
# dracut restarts the server when a step has failed: time to read what.
sleep 30
