# A served gallery. Build: docker build -t promptreid .
# Run, with the gallery, its model and tokens.json in ./data (see docs/service.md):
#   docker run --stop-timeout 70 --read-only --tmpfs /tmp --cap-drop ALL -p 8080:8080 \
#     -v "$PWD/data:/data" promptreid
FROM python:3.11-slim

# PyTorch for processors alone is a fraction of what brings CUDA along; for a graphics card:
#   docker build --build-arg TORCH_INDEX=https://pypi.org/simple -t promptreid .
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=serve,postgres

# Images are decoded by what the wheels bring; nothing of the system is needed beyond Python.
# What changes seldom comes first, so that another version of the source fetches no PyTorch.
WORKDIR /opt/promptreid
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin promptreid \
    && install --directory --owner promptreid --group promptreid --mode 0700 /data
COPY constraints.txt ./
RUN python -m pip install --no-cache-dir --constraint constraints.txt \
        --extra-index-url "$TORCH_INDEX" torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]"

USER 10001:10001
ENV HOME=/tmp XDG_CACHE_HOME=/tmp/cache PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/ready', timeout=4)"]
ENTRYPOINT ["promptreid", "serve"]
CMD ["/data/model", "--gallery", "/data/people.gallery", "--host", "0.0.0.0", "--port", "8080", \
     "--token-file", "/data/tokens.json"]
