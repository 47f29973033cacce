#!/usr/bin/env bash
# Makes the project's environments, from hash-locked requirements. A second run ends at once.
#
#   scripts/setup.sh [app] [airflow] [services] [airflow2]     (default: app airflow services)
#
# Needs Debian and python3 only: where pip or ensurepip are missing they are brought into
# .run/tools with apt (installed as root, unpacked from downloaded packages otherwise).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tools=$root/.run/tools
say() { printf 'setup: %s\n' "$1" >&2; }

mkdir -p "$root/.run"
exec 9>"$root/.run/setup.lock"
flock 9

debian_package() { # name: makes its files available, installed as root or unpacked under $tools/unpacked
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 && return 0
  fi
  # An ordinary user keeps package lists of its own: the system's may be missing or old.
  mkdir -p "$tools/unpacked" "$tools/debs" "$tools/apt/lists/partial" "$tools/apt/cache/archives/partial"
  local own=(-o "Dir::State::Lists=$tools/apt/lists" -o "Dir::Cache=$tools/apt/cache" -o "Debug::NoLocking=1")
  [ -e "$tools/apt/updated" ] || { apt-get "${own[@]}" update -qq >/dev/null && touch "$tools/apt/updated"; }
  (cd "$tools/debs" && apt-get "${own[@]}" download -qq "$1" >/dev/null && dpkg -x "$1"_*.deb "$tools/unpacked")
}

pip_wheel() { # the wheel that Debian ships for ensurepip
  local found
  for found in /usr/share/python-wheels/pip-*.whl "$tools"/unpacked/usr/share/python-wheels/pip-*.whl; do
    if [ -e "$found" ]; then echo "$found"; return; fi
  done
}

find_uv() {
  if [ -x "$tools/uv/bin/uv" ]; then uv=$tools/uv/bin/uv; return; fi
  say "installing uv"
  mkdir -p "$tools"
  rm -rf "$tools/uv"
  if python3 -m venv "$tools/uv" >/dev/null 2>&1 && "$tools/uv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$tools/uv/bin/python" -m pip install -q --disable-pip-version-check 'uv>=0.5'
  else
    rm -rf "$tools/uv"
    if ! python3 -m venv --without-pip "$tools/uv" >/dev/null 2>&1; then
      debian_package python3-venv || true
      python3 -m venv --without-pip "$tools/uv"
    fi
    [ -n "$(pip_wheel)" ] || debian_package python3-pip-whl || true
    wheel=$(pip_wheel)
    [ -n "$wheel" ] || { say "no pip can be had: install python3-venv (apt-get install python3-venv)"; exit 3; }
    "$tools/uv/bin/python" "$wheel/pip" install -q --disable-pip-version-check 'uv>=0.5'
  fi
  uv=$tools/uv/bin/uv
}

# uv does not read pip's configuration: index and certificate are handed on at run time only.
pip_setting() {
  local pip=(-m pip)
  "$tools/uv/bin/python" -c 'import pip' 2>/dev/null || pip=("$(pip_wheel)/pip")
  "$tools/uv/bin/python" "${pip[@]}" config get "$1" 2>/dev/null || true
}

configure_uv() {
  export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_HTTP_TIMEOUT=180
  export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} # what the machine trusts, as Debian's pip does
  if [ -z "${UV_INDEX_URL:-}${UV_DEFAULT_INDEX:-}" ]; then
    index=${PIP_INDEX_URL:-$(pip_setting global.index-url)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX=$index
  fi
  certificate=${PIP_CERT:-$(pip_setting global.cert)}
  if [ -z "${SSL_CERT_FILE:-}" ] && [ -n "$certificate" ]; then export SSL_CERT_FILE=$certificate; fi
}

environment() { # folder, requirements file, "project" to make our commands available in it
  local folder=$1 requirements=$2 project=${3:-}
  local wanted
  wanted=$(cat "$requirements" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)-$root
  if [ "$(cat "$folder/.stamp" 2>/dev/null || true)" = "$wanted" ]; then return; fi
  find_uv
  configure_uv
  say "making $folder from $requirements"
  [ -x "$folder/bin/python" ] && "$folder/bin/python" -c '' 2>/dev/null || { rm -rf "$folder"; "$uv" venv -q --python python3 "$folder"; }
  "$uv" pip sync -q --python "$folder/bin/python" --require-hashes "$requirements"
  if [ -n "$project" ]; then
    site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$root" > "$site/supplyline.pth"
    printf '#!%s\nfrom supplyline.cli import main\n\nmain()\n' "$root/$folder/bin/python" > "$folder/bin/supplyline"
    chmod +x "$folder/bin/supplyline"
  fi
  echo "$wanted" > "$folder/.stamp"
  if [ "$folder" = .venv-airflow ]; then
    # Bytecode once, now: otherwise every task compiles its imports again.
    say "compiling $folder"
    env -u PYTHONDONTWRITEBYTECODE "$folder/bin/python" -m compileall -q -j2 "$folder/lib" >/dev/null 2>&1 || true
  fi
}

inner_loops() { # compiled with the machine's compiler, or with one that is fetched, used and removed
  .venv/bin/python -m supplyline.native.build 2>/dev/null && return 0
  local folder=$tools/compiler failed=$tools/inner-loops-failed wanted
  wanted=$(cat requirements/build.txt supplyline/native/*.[ch] | sha256sum | cut -d' ' -f1)
  if [ "$(cat "$failed" 2>/dev/null || true)" = "$wanted" ]; then return; fi
  say "compiling inner loops with a compiler that is fetched (none here does it)"
  rm -rf "$folder"
  if ! (find_uv && configure_uv && "$uv" venv -q --python python3 "$folder" &&
    "$uv" pip sync -q --python "$folder/bin/python" --require-hashes requirements/build.txt &&
    ZIG_GLOBAL_CACHE_DIR=$folder/cache .venv/bin/python -m supplyline.native.build \
      --compiler "'$folder/bin/python' -m ziglang cc"); then
    say "the inner loops were not compiled; all works without them, slower"
    mkdir -p "$tools"
    echo "$wanted" > "$failed"
  fi
  rm -rf "$folder"
}

for what in ${@:-app airflow services}; do
  case $what in
    app) environment .venv requirements/dev.txt project; inner_loops ;;
    airflow) environment .venv-airflow requirements/airflow.txt project ;;
    services) environment .venv-services requirements/services.txt ;;
    airflow2) environment .venv-airflow2 requirements/airflow2.txt project ;;
    *) echo "unknown environment: $what" >&2; exit 2 ;;
  esac
done
