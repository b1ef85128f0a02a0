/* An OPC UA server on open62541 1.4 for the interop tests. Listens on 127.0.0.1 only.
   usage: opcua-server PORT                         security None
          opcua-server PORT CERT.der KEY.der        also Sign and SignAndEncrypt, every client is believed

   Namespace 1 is urn:twinbox:test-server: Double 21.5 (writable), Float -0.25, Int32 -70000, Boolean true, String "grün",
   and Counter (UInt32), one up every 100 ms. */
#include <open62541/plugin/pki_default.h>
#include <open62541/server.h>
#include <open62541/server_config_default.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile UA_Boolean running = true;
static UA_UInt32 counter = 0;

static void on_signal(int signal) { (void)signal, running = false; }

static UA_ByteString load(const char *path) {
  UA_ByteString bytes = UA_BYTESTRING_NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return perror(path), exit(1), bytes;
  fseek(file, 0, SEEK_END);
  UA_ByteString_allocBuffer(&bytes, (size_t)ftell(file));
  rewind(file);
  if (fread(bytes.data, 1, bytes.length, file) != bytes.length) exit(1);
  fclose(file);
  return bytes;
}

static void add(UA_Server *server, char *name, void *value, int type, UA_Byte access) {
  UA_VariableAttributes attributes = UA_VariableAttributes_default;
  UA_Variant_setScalar(&attributes.value, value, &UA_TYPES[type]);
  attributes.dataType = UA_TYPES[type].typeId;
  attributes.accessLevel = access;
  attributes.displayName = UA_LOCALIZEDTEXT("en", name);
  UA_Server_addVariableNode(server, UA_NODEID_STRING(1, name), UA_NODEID_NUMERIC(0, UA_NS0ID_OBJECTSFOLDER),
                            UA_NODEID_NUMERIC(0, UA_NS0ID_ORGANIZES), UA_QUALIFIEDNAME(1, name),
                            UA_NODEID_NUMERIC(0, UA_NS0ID_BASEDATAVARIABLETYPE), attributes, NULL, NULL);
}

static void count_up(UA_Server *server, void *data) {
  (void)data;
  UA_Variant value;
  counter++;
  UA_Variant_setScalar(&value, &counter, &UA_TYPES[UA_TYPES_UINT32]);
  UA_Server_writeValue(server, UA_NODEID_STRING(1, "Counter"), value);
}

static void configure(UA_ServerConfig *config, int argc, char **argv) {
  UA_UInt16 port = (UA_UInt16)atoi(argv[1]);
  UA_StatusCode status;
  if (argc == 4) {
    UA_ByteString certificate = load(argv[2]), key = load(argv[3]);
    status = UA_ServerConfig_setDefaultWithSecurityPolicies(config, port, &certificate, &key, NULL, 0, NULL, 0, NULL, 0);
    UA_CertificateVerification_AcceptAll(&config->secureChannelPKI);
    UA_CertificateVerification_AcceptAll(&config->sessionPKI);
  } else status = UA_ServerConfig_setMinimal(config, port, NULL);
  if (status) fprintf(stderr, "configuration: %s\n", UA_StatusCode_name(status)), exit(1);
  char url[64];
  snprintf(url, sizeof url, "opc.tcp://127.0.0.1:%d", port);
  UA_Array_delete(config->serverUrls, config->serverUrlsSize, &UA_TYPES[UA_TYPES_STRING]);
  config->serverUrls = UA_Array_new(1, &UA_TYPES[UA_TYPES_STRING]);
  config->serverUrls[0] = UA_STRING_ALLOC(url);
  config->serverUrlsSize = 1;
  UA_String_clear(&config->applicationDescription.applicationUri);
  config->applicationDescription.applicationUri = UA_STRING_ALLOC("urn:twinbox:test-server");
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) return fprintf(stderr, "usage: opcua-server PORT [CERT.der KEY.der]\n"), 2;
  signal(SIGTERM, on_signal);
  UA_ServerConfig config;
  memset(&config, 0, sizeof config);
  configure(&config, argc, argv);
  UA_Server *server = UA_Server_newWithConfig(&config);
  UA_Double d = 21.5;
  UA_Float f = -0.25f;
  UA_Int32 i = -70000;
  UA_Boolean b = true;
  UA_String s = UA_STRING("grün");
  UA_Byte reads = UA_ACCESSLEVELMASK_READ, writes = reads | UA_ACCESSLEVELMASK_WRITE;
  add(server, "Double", &d, UA_TYPES_DOUBLE, writes);
  add(server, "Float", &f, UA_TYPES_FLOAT, reads);
  add(server, "Int32", &i, UA_TYPES_INT32, reads);
  add(server, "Boolean", &b, UA_TYPES_BOOLEAN, reads);
  add(server, "String", &s, UA_TYPES_STRING, reads);
  add(server, "Counter", &counter, UA_TYPES_UINT32, reads);
  UA_Server_addRepeatedCallback(server, count_up, NULL, 100, NULL);
  UA_StatusCode status = UA_Server_run(server, &running);
  UA_Server_delete(server);
  return status ? 1 : 0;
}
