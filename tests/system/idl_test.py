"""Programs of others that speak OVSDB through a library: ovsdbapp (OpenStack), and python3-openvswitch's IDL."""
from harness import ovn, test
from harness.proc import run
from harness.venv import ovsdbapp_python

LOCAL = """
import sys
from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.open_vswitch import impl_idl
api = impl_idl.OvsdbIdl(connection.Connection(connection.OvsdbIdl.from_server(sys.argv[1], 'Open_vSwitch'), timeout=30))
api.add_br('br0', datapath_type='netdev').execute(check_error=True)
api.add_br('br0').execute(check_error=True)
with api.transaction(check_error=True) as t:
    for i in range(5):
        t.add(api.add_port('br0', 'p%d' % i))
        t.add(api.db_set('Interface', 'p%d' % i, ('type', 'internal'), ('external_ids', {'n': str(i)})))
assert sorted(api.list_ports('br0').execute()) == ['p%d' % i for i in range(5)]
assert api.port_to_br('p3').execute() == 'br0'
assert api.iface_get_external_id('p3', 'n').execute() == '3'
api.db_add('Port', 'p1', 'trunks', 5, 6).execute(check_error=True)
assert api.db_get('Port', 'p1', 'trunks').execute() == [5, 6]
api.db_remove('Port', 'p1', 'trunks', 5).execute(check_error=True)
assert api.db_get('Port', 'p1', 'trunks').execute() in (6, [6])
api.set_controller('br0', ['tcp:127.0.0.1:6653']).execute(check_error=True)
assert api.get_controller('br0').execute() == ['tcp:127.0.0.1:6653']
api.set_fail_mode('br0', 'secure').execute(check_error=True)
found = api.db_find('Interface', ('external_ids', '=', {'n': '2'}), columns=['name']).execute()
assert found == [{'name': 'p2'}], found
qos = api.db_create('QoS', type='linux-noop').execute(check_error=True)
api.db_set('Port', 'p2', ('qos', qos)).execute(check_error=True)
api.db_clear('Port', 'p2', 'qos').execute(check_error=True)
api.db_destroy('QoS', qos).execute(check_error=True)
api.del_port('p1').execute(check_error=True)
api.del_br('br0').execute(check_error=True)
assert api.list_br().execute() == []
print('done')
"""

NORTHBOUND = """
import sys
from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.ovn_northbound import impl_idl
idl = connection.OvsdbIdl.from_server(sys.argv[1], 'OVN_Northbound')
api = impl_idl.OvnNbApiIdlImpl(connection.Connection(idl, timeout=30))
api.ls_add('sw0').execute(check_error=True)
with api.transaction(check_error=True) as t:
    for i in range(20):
        t.add(api.lsp_add('sw0', 'p%d' % i, addresses=['00:00:00:00:01:%02x 10.0.0.%d' % (i, i + 1)]))
assert len(api.lsp_list('sw0').execute(check_error=True)) == 20
api.lr_add('r0').execute(check_error=True)
api.lrp_add('r0', 'r0-sw0', '00:00:00:00:ff:01', ['10.0.0.254/24']).execute(check_error=True)
api.acl_add('sw0', 'to-lport', 1000, 'tcp.dst == 22', 'drop').execute(check_error=True)
api.lr_nat_add('r0', 'snat', '172.16.0.1', '10.0.0.0/24').execute(check_error=True)
api.lb_add('lb0', '10.0.0.100:80', ['10.0.0.1:80']).execute(check_error=True)
api.ls_lb_add('sw0', 'lb0').execute(check_error=True)
try:
    api.lsp_add('sw0', 'p1').execute(check_error=True, log_errors=False)
    sys.exit('a second p1 was taken')
except RuntimeError:
    pass
api.lsp_del('p7').execute(check_error=True)
assert len(api.lsp_list('sw0').execute(check_error=True)) == 19
print('done')
"""


@test(needs=("ovsdbapp",), limit_s=120)
def ovsdbapp_configures_a_switch(t):
    sw = t.switch(dummy="")
    assert run([ovsdbapp_python(), "-c", LOCAL, "unix:" + sw.db_sock], timeout=60).stdout == "done\n"


@test(needs=("ovsdbapp", "ovn"), limit_s=120)
def ovsdbapp_configures_ovn(t):
    c = ovn.Central(t, t.ours)
    assert run([ovsdbapp_python(), "-c", NORTHBOUND, "unix:" + c.sock("nb")], timeout=60).stdout == "done\n"
    c.nb("--wait=sb", "sync")
    assert c.sb("--bare", "--columns=logical_port", "find", "Port_Binding", "logical_port=p9").strip() == "p9"
    assert not c.sb("--bare", "--columns=logical_port", "find", "Port_Binding", "logical_port=p7").strip()
