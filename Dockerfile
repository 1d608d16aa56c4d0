# lrmp with its baselines and pictures: docker build -t lrmp . && docker run --rm lrmp demo
# PyTorch may bring CUDA libraries of some gigabytes; PIP_OPTIONS can name an index of CPU builds.
FROM python:3.11-slim
ARG PIP_OPTIONS=""
COPY . /src
RUN pip install --no-cache-dir $PIP_OPTIONS "/src[train,plot,search]" && rm -rf /src
RUN useradd --create-home lrmp
USER lrmp
WORKDIR /home/lrmp
ENTRYPOINT ["lrmp"]
