/* A Modbus TCP server on libmodbus for the interop tests: known values, and a counter that shows that time goes on.
   usage: modbus-server PORT      listens on 127.0.0.1 only

   holding 0-1 float32 21.5 (ABCD) | 2 int16 -1234 | 3-4 uint32 3000000000 (ABCD) | 5-6 float32 -0.25 (CDAB) | 7 uint16, writable
   input   0-1 uint32 counter, one up every 100 ms since the start (ABCD)
   coil    0 true | 1 false                                                    */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_u32(uint16_t *registers, uint32_t value) {
  registers[0] = (uint16_t)(value >> 16);
  registers[1] = (uint16_t)value;
}

/* The library's own float functions differ in byte order from version to version. */
static void put_float(uint16_t *high, uint16_t *low, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  *high = (uint16_t)(bits >> 16);
  *low = (uint16_t)bits;
}

static void fill(modbus_mapping_t *map) {
  put_float(map->tab_registers, map->tab_registers + 1, 21.5f);
  map->tab_registers[2] = (uint16_t)-1234;
  put_u32(map->tab_registers + 3, 3000000000u);
  put_float(map->tab_registers + 6, map->tab_registers + 5, -0.25f);
  map->tab_bits[0] = 1;
}

/* Answers one request; false when the client has gone. */
static int answer(modbus_t *ctx, modbus_mapping_t *map, int client, double start_s) {
  uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
  modbus_set_socket(ctx, client);
  int length = modbus_receive(ctx, query);
  if (length < 0) return 0;
  put_u32(map->tab_input_registers, (uint32_t)((now_s() - start_s) * 10));
  return length == 0 || modbus_reply(ctx, query, length, map) >= 0 || errno == EMBXILADD;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: modbus-server PORT\n"), 2;
  modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
  modbus_mapping_t *map = modbus_mapping_new(8, 8, 32, 32);
  if (!ctx || !map) return perror("modbus"), 1;
  fill(map);
  double start_s = now_s();
  int listener = modbus_tcp_listen(ctx, 8);
  if (listener < 0) return perror("listen"), 1;
  fd_set open_sockets;
  FD_ZERO(&open_sockets);
  FD_SET(listener, &open_sockets);
  for (;;) {
    fd_set ready = open_sockets;
    if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) < 0) return perror("select"), 1;
    for (int fd = 0; fd < FD_SETSIZE; fd++) {
      if (!FD_ISSET(fd, &ready)) continue;
      if (fd == listener) {
        int client = modbus_tcp_accept(ctx, &listener);
        if (client >= 0) FD_SET(client, &open_sockets);
      } else if (!answer(ctx, map, fd, start_s)) {
        close(fd);
        FD_CLR(fd, &open_sockets);
      }
    }
  }
}
