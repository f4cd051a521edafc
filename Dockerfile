# The service alone: no training, no tests, no tools to build with.
#   docker build -t digits . && docker run --rm -p 8000:8000 digits
# Needs nothing written but /tmp, no capability and no root:
#   docker run --rm -p 8000:8000 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges digits
# The same without TensorFlow, a fifth of its size:
#   docker build --target small -t digits:small . && docker run --rm -p 8000:8000 digits:small

FROM python:3.13-slim AS packages
# The files in an image never change, so compiled modules need not be checked against their sources, whose times a
# build may reset; checked, TensorFlow would be compiled anew at every start (3 s).
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH
WORKDIR /build
COPY requirements/uv.txt ./
# uv trusts the system's certificates, as pip does, so that a build behind a proxy needs one setting and not two
RUN python -m pip install --no-cache-dir --require-hashes -r uv.txt && uv venv /opt/digits
ENV UV_SYSTEM_CERTS=1 UV_NO_CACHE=1 VIRTUAL_ENV=/opt/digits

FROM packages AS all
COPY requirements/run.txt ./
WORKDIR /opt/digits/lib/python3.13/site-packages
RUN uv pip install --compile-bytecode --require-hashes -r /build/run.txt \
    # what TensorFlow brings to build (its C++ headers: 287 MB) or to train with, and serving never imports
    && uv pip uninstall setuptools wheel libclang google-pasta keras h5py optree namex rich pygments markdown-it-py mdurl \
    && rm -rf tensorflow/include ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/tools ai_edge_litert/vendors

FROM packages AS few
# hadolint ignore=DL3008 # whichever version: `strip` takes 18 MB of debugging symbols out of uvloop and httptools
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY requirements/small.txt ./
WORKDIR /opt/digits/lib/python3.13/site-packages
RUN uv pip install --require-hashes -r /build/small.txt \
    # of LiteRT the interpreter alone runs here: the rest is for GPUs and NPUs, and to convert with (45 MB)
    && uv pip uninstall protobuf ml-dtypes flatbuffers tqdm backports-strenum \
    && rm -rf ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/libLiteRt.so ai_edge_litert/tools \
       ai_edge_litert/vendors ai_edge_litert/aot ai_edge_litert/schema_py_generated.py ai_edge_litert/descriptor_pb2.py \
    # of Pillow, what reads AVIF, draws text and knows Tk (10 MB)
    && rm -rf PIL/_avif.* PIL/_imagingft.* PIL/_imagingtk.* \
       pillow.libs/libavif-* pillow.libs/libharfbuzz-* pillow.libs/libfreetype-* \
    # of all, their tests, and what compilers and type checkers read (20 MB)
    && rm -rf numpy/f2py numpy/_core/include numpy/_core/lib \
    && find . -name tests -type d -prune -exec rm -r {} + && find . -name '*.pyi' -delete \
    && strip --strip-unneeded uvloop/*.so httptools/parser/*.so \
    && python -m compileall -q --invalidation-mode unchecked-hash .

FROM python:3.13-slim AS code
WORKDIR /build
COPY app app
RUN python -m compileall -q --invalidation-mode unchecked-hash app

FROM python:3.13-slim AS service
ENV PATH=/opt/digits/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DIGITS_HOST=0.0.0.0 \
    DIGITS_DRAIN_SECONDS=5
WORKDIR /srv
COPY --from=code /build/app app
COPY models models
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-m", "app.healthcheck"]
CMD ["python", "-m", "app"]

FROM service AS small
ENV DIGITS_ENGINE=litert
COPY --from=few /opt/digits /opt/digits

FROM service
COPY --from=all /opt/digits /opt/digits
