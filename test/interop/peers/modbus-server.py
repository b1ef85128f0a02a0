"""A Modbus server on pymodbus for the interop tests: the registers of modbus-server.c, with a counter of reads.

usage: modbus-server.py tcp|udp|rtu_over_tcp PORT      listens on 127.0.0.1 only
       modbus-server.py rtu DEVICE                     9600 baud, no parity, one stop bit
"""
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartSerialServer, StartTcpServer, StartUdpServer
from pymodbus.transaction import ModbusRtuFramer


def words(layout, value):
    return list(struct.unpack(">%dH" % (struct.calcsize(layout) // 2), struct.pack(layout, value)))


class Counter(ModbusSequentialDataBlock):
    """Input registers 0-1: one up at every read."""

    reads = 0

    def getValues(self, address, count=1):
        self.reads += 1
        self.setValues(0, words(">I", self.reads))
        return super().getValues(address, count)


float_cdab = words(">f", -0.25)[::-1]
holding = words(">f", 21.5) + words(">h", -1234) + words(">I", 3000000000) + float_cdab + [0] * 25
device = ModbusSlaveContext(
    co=ModbusSequentialDataBlock(0, [True, False] + [False] * 6),
    di=ModbusSequentialDataBlock(0, [False] * 8),
    hr=ModbusSequentialDataBlock(0, holding),
    ir=Counter(0, [0] * 32),
    zero_mode=True,
)
context = ModbusServerContext(slaves=device, single=True)
transport, place = sys.argv[1:]
if transport == "tcp":
    StartTcpServer(context=context, address=("127.0.0.1", int(place)), allow_reuse_address=True)
elif transport == "rtu_over_tcp":
    StartTcpServer(context=context, framer=ModbusRtuFramer, address=("127.0.0.1", int(place)), allow_reuse_address=True)
elif transport == "udp":
    StartUdpServer(context=context, address=("127.0.0.1", int(place)))
elif transport == "rtu":
    StartSerialServer(context=context, framer=ModbusRtuFramer, port=place, baudrate=9600, timeout=0.05)
else:
    sys.exit(__doc__)
