# An image with the program, its worker and the shared objects they load, and nothing else.
#
#   docker build -t memarchive . && docker run --rm -i memarchive test - < song.zip
FROM swift:6.3-bookworm AS build
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends make
WORKDIR /source
COPY . .
RUN make image-root ROOT=/image

FROM scratch
COPY --from=build /image /
ENTRYPOINT ["/bin/memarchive"]
