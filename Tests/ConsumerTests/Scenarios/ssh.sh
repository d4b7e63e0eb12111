. "$(dirname "$0")/common.sh"
# A login: sshd has its host key and the client's public key from one archive, ssh its key and the host's from another. sshd
# serves a connection on its standard streams, so no port is needed, and the sftp subsystem, so no shell is.
mkdir host user
ssh-keygen -q -t ed25519 -N '' -C host -f host/key
ssh-keygen -q -t ed25519 -N '' -C user -f user/key
cp user/key.pub host/authorized
echo "machine $(cat host/key.pub)" >user/known
tar -C host -cf host.tar key authorized
tar -C user -cf user.tar key known
rm -r host user
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd # where sshd locks itself in

server="$MA run host.tar --tree -- /usr/sbin/sshd -i -f /dev/null -h '{{key}' -o AuthorizedKeysFile='{{authorized}'
  -o UsePAM=yes -o Subsystem='sftp internal-sftp'"
"$MA" run user.tar --hold -- ssh -v -F none -i '{key}' -o UserKnownHostsFile='{known}' -o GlobalKnownHostsFile=none \
  -o BatchMode=yes -o IdentitiesOnly=yes -o HostKeyAlias=machine -o "ProxyCommand=$(echo $server)" \
  -s "$(id -un)@machine" sftp </dev/null 2>log || { cat log >&2; exit 1; }
grep -o 'Authenticated to machine .*using "publickey"' log
