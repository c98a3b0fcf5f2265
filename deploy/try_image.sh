#!/usr/bin/env bash
# Builds an image from the Dockerfile and starts it without rights, where no image registry is reached: the base is made of
# Debian's packages. As root: deploy/try_image.sh SERVICE, one that docker-compose.yml builds, after
# apt-get install buildah debootstrap podman runc. `buildah images` shows what it leaves.
set -euo pipefail
cd "$(dirname "$0")/.."
service=$1 base=localhost/debian:12-slim image=localhost/automl-stream-$1

for secret in POSTGRES_PASSWORD POSTGRES_{ADMIN,WRITER,READER,MLFLOW}_PASSWORD GRAFANA_PASSWORD HTTP_TOKENS; do
  export "$secret=unused"
done
read -r module extras < <(.venv/bin/docker-compose --env-file .env.example config --format json | .venv/bin/python -c '
import json, sys
arguments = json.load(sys.stdin)["services"][sys.argv[1]]["build"]["args"]
print(arguments["MODULE"], arguments["EXTRAS"])' "$service")

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  root=$(mktemp --directory)
  debootstrap --variant=minbase bookworm "$root"
  container=$(buildah from scratch)
  if [ -n "${SSL_CERT_FILE:-}" ]; then # a way out with an authority of its own
    install -D --mode=644 "$SSL_CERT_FILE" "$root/etc/authorities.pem"
    printf '[global]\ncert = /etc/authorities.pem\n' > "$root/etc/pip.conf"
    buildah config --env SSL_CERT_FILE=/etc/authorities.pem "$container"
  fi
  buildah add --quiet "$container" "$root" /
  buildah commit --quiet --rm "$container" "$base"
  rm --recursive "$root"
fi

buildah build --isolation chroot --format docker --network host --build-arg BASE="$base" --build-arg EXTRAS="$extras" \
  --build-arg MODULE="$module" --file deploy/Dockerfile --tag "$image" .

status=0
podman --runtime runc run --rm --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --read-only --tmpfs /tmp --cap-drop all \
  --security-opt no-new-privileges --network none "$image" || status=$?
echo "$image ended with $status: without settings a service says which it lacks, and ends with 2"
test $status = 2
