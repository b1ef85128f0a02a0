#!/bin/bash
# Builds the open62541 server of the interop tests. open62541 1.4 is in Debian 13 and not in Debian 12, so it and the C library
# it needs are unpacked beside this system, without touching it, and run by their own loader.
# usage: opcua-server.sh DIR     then: DIR/run PORT [CERT.der KEY.der]
# Needs: gcc, libc6-dev, and a Debian mirror (the one of this system). A second run only compiles.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
dir=$(readlink -m "${1:?a folder to build in}")
mkdir -p "$dir"
cd "$dir"

if [ ! -d root ]; then
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  mirror=${mirror:-http://deb.debian.org/debian}
  rm -rf apt root.new
  mkdir -p apt/lists/partial apt/cache/archives/partial apt/debs
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror%/} trixie main" > apt/sources.list
  apt=(apt-get -qq -o Dir::Etc::SourceList="$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
       -o Dir::State::Lists="$dir/apt/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/apt/cache"
       -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3)
  "${apt[@]}" update
  (cd apt/debs && "${apt[@]}" download libopen62541-1.4 libopen62541-1.4-dev libc6 libmbedtls21 libmbedx509-7 libmbedcrypto16)
  for deb in apt/debs/*.deb; do dpkg-deb -x "$deb" root.new; done
  rm -rf apt
  mv root.new root # only a whole one has this name
fi

lib="$dir/root/usr/lib/$(gcc -print-multiarch)"
loader=$(echo "$dir"/root/usr/lib*/ld-linux-*.so.*)
gcc -O1 -Wall "$here/opcua-server.c" -I root/usr/include -o server -L "$lib" -lopen62541 -Wl,--unresolved-symbols=ignore-in-shared-libs
printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s/server" "$@"\n' "$loader" "$lib" "$dir" > run
chmod +x run
