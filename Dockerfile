# One image for every service and the command line; the command chooses which one runs.
FROM python:3.12-slim-bookworm

# git: pack install. sudo and openssh-client: shell actions as another user, remote actions. tini: reaps what actions leave behind.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git sudo openssh-client tini ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system st2packs \
    && useradd --create-home --gid st2packs --shell /bin/bash stanley \
    && install -d -o stanley -g st2packs -m 2775 /opt/stackstorm/packs /opt/stackstorm/configs /opt/stackstorm/virtualenvs \
       /opt/stackstorm/overrides /opt/stackstorm/exports /opt/stackstorm/rbac /opt/stackstorm/packs.dev \
    && install -d -o stanley -g st2packs -m 0750 /etc/st2 /etc/st2/keys /var/log/st2

WORKDIR /usr/src/st2
COPY pyproject.toml README.md LICENSE ./
COPY st2common st2common
COPY st2api st2api
COPY st2auth st2auth
COPY st2reactor st2reactor
COPY st2actions st2actions
COPY st2client st2client
COPY contrib contrib
COPY conf conf
RUN pip install --no-cache-dir '.[winrm]' && rm -rf /usr/src/st2/build

COPY conf/docker/st2.conf /etc/st2/st2.conf
COPY conf/docker/prepare /usr/local/bin/st2-prepare
ENV ST2_CONFIG_PATH=/etc/st2/st2.conf PYTHONUNBUFFERED=1
USER stanley
WORKDIR /home/stanley
ENTRYPOINT ["tini", "-g", "--"]
CMD ["st2", "--help"]
