# The service alone: no training, no tests, no tools to build with.
#   docker build -t digits . && docker run --rm -p 8000:8000 digits
# Needs nothing written but /tmp, no capability and no root:
#   docker run --rm -p 8000:8000 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges digits

FROM python:3.13-slim AS build
# The files in an image never change, so compiled modules need not be checked against their sources, whose times a
# build may reset; checked, TensorFlow would be compiled anew at every start (3 s).
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH
WORKDIR /build
COPY requirements/uv.txt requirements/run.txt ./
# uv trusts the system's certificates, as pip does, so that a build behind a proxy needs one setting and not two
RUN python -m pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv venv /opt/digits \
    && uv pip install --system-certs --no-cache --python /opt/digits/bin/python --compile-bytecode --require-hashes -r run.txt \
    # what TensorFlow brings to build (its C++ headers: 287 MB) or to train with, and serving never imports
    && uv pip uninstall --python /opt/digits/bin/python setuptools wheel libclang google-pasta keras h5py optree namex \
       rich pygments markdown-it-py mdurl \
    && rm -rf /opt/digits/lib/python3.13/site-packages/tensorflow/include
COPY app app
RUN python -m compileall -q --invalidation-mode unchecked-hash app

FROM python:3.13-slim
ENV PATH=/opt/digits/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DIGITS_HOST=0.0.0.0 \
    DIGITS_DRAIN_SECONDS=5
WORKDIR /srv
COPY --from=build /opt/digits /opt/digits
COPY --from=build /build/app app
COPY models models
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-m", "app.healthcheck"]
CMD ["python", "-m", "app"]
